import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { schedule } from "../../chaos/troubles/schedule.ts";

const options = fc.record({
  seconds: fc.integer({ min: 1, max: 600 }),
  seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  kills: fc.nat(60),
  pauses: fc.nat(60),
  cuts: fc.nat(60),
});
const targets = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 8 });

describe("the schedule", () => {
  test("follows from the seed alone, has what was asked for, in order, within the load, of these targets", () => {
    fc.assert(
      fc.property(options, targets, (asked, names) => {
        const troubles = schedule(asked, names);
        expect(schedule(asked, names)).toEqual(troubles);
        const count = (kind: string): number => troubles.filter((trouble) => trouble.kind === kind).length;
        expect([count("kill"), count("pause"), count("cut")]).toEqual([asked.kills, asked.pauses, asked.cuts]);
        const times = troubles.map(({ atMs }) => atMs);
        expect(times).toEqual([...times].sort((one, other) => one - other));
        for (const { atMs, target } of troubles) {
          expect(atMs).toBeGreaterThan(0);
          expect(atMs).toBeLessThan(asked.seconds * 1_000);
          expect(names).toContain(target);
        }
      }),
    );
  });

  test("differs with the seed, and reaches every target", () => {
    const names = ["a", "b", "c"];
    const make = (seed: number) => schedule({ seconds: 60, seed, kills: 30, pauses: 0, cuts: 0 }, names);
    expect(make(1)).not.toEqual(make(2));
    expect(new Set(make(7).map(({ target }) => target))).toEqual(new Set(names));
  });

  test("is empty where everybody is spared", () => {
    expect(schedule({ seconds: 60, seed: 1, kills: 5, pauses: 5, cuts: 5 }, [])).toEqual([]);
  });
});
