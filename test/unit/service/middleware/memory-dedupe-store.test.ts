import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memoryDedupeStore } from "../../../../src/service/middleware/index.ts";
import { FakeClock } from "../../internal/fake-clock.ts";

const TTL_MS = 50;
const CLAIM_TTL_MS = 20;

describe("memoryDedupeStore", () => {
  const key = fc.constantFrom("a", "b", "c");
  const token = fc.constantFrom("one", "two", "three");
  const step = fc.oneof(
    fc.record({ call: fc.constant("claim" as const), key, token }),
    fc.record({ call: fc.constant("confirm" as const), key, token }),
    fc.record({ call: fc.constant("release" as const), key, token }),
    fc.record({ call: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 15 }) }),
  );

  test("keeps its bound, and answers as the contract says", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(step, { minLength: 50, maxLength: 200 }),
        (maxEntries, steps) => {
          const clock = new FakeClock();
          const store = memoryDedupeStore({ maxEntries, clock });
          const claims = new Map<string, { token: string; until: number }>();
          // Forgets the oldest confirmed when there are more than maxEntries.
          let done: { key: string; until: number }[] = [];
          for (const one of steps) {
            if (one.call === "wait") {
              clock.advance(one.ms);
              continue;
            }
            const now = clock.now();
            done = done.filter(({ until }) => until > now);
            const held = claims.get(one.key);
            if (one.call === "claim") {
              const wanted = done.some((entry) => entry.key === one.key)
                ? "done"
                : held !== undefined && held.until > now
                  ? "running"
                  : "claimed";
              expect(store.claim(one.key, one.token, CLAIM_TTL_MS)).toBe(wanted);
              if (wanted === "claimed") claims.set(one.key, { token: one.token, until: now + CLAIM_TTL_MS });
            } else {
              if (held?.token === one.token) claims.delete(one.key);
              if (one.call === "release") store.release(one.key, one.token);
              else {
                store.confirm(one.key, one.token, TTL_MS);
                done = [...done.filter((entry) => entry.key !== one.key), { key: one.key, until: now + TTL_MS }].slice(
                  -maxEntries,
                );
              }
            }
            expect(store.size).toBeLessThanOrEqual(maxEntries);
            expect(store.claims).toBeLessThanOrEqual(3);
          }
          expect(clock.timers).toBe(0);
        },
      ),
    );
  });

  test("is empty again once everything has expired", () => {
    const clock = new FakeClock();
    const store = memoryDedupeStore({ clock });
    for (let index = 0; index < 100; index += 1) {
      store.claim(`claimed ${index}`, "one", CLAIM_TTL_MS);
      store.confirm(`done ${index}`, "one", TTL_MS);
    }
    expect(store).toMatchObject({ size: 100, claims: 100 });
    clock.advance(TTL_MS);
    store.claim("another", "one", CLAIM_TTL_MS);
    expect(store).toMatchObject({ size: 0, claims: 1 });
  });

  test("holds with TTLs of different lengths", () => {
    const clock = new FakeClock();
    const store = memoryDedupeStore({ clock });
    store.confirm("long", "one", 1_000);
    store.confirm("short", "one", 10);
    store.claim("claimed", "one", 1_000);
    store.claim("shortly", "one", 10);
    clock.advance(10);
    expect(store.claim("short", "two", 10)).toBe("claimed");
    expect(store.claim("shortly", "two", 10)).toBe("claimed");
    expect(store.claim("long", "two", 10)).toBe("done");
    expect(store.claim("claimed", "two", 10)).toBe("running");
  });

  test.each([{ maxEntries: 0 }, { ttlMs: 5 } as never])("refuses %o", (options) => {
    expect(() => memoryDedupeStore(options)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTION" }));
  });
});
