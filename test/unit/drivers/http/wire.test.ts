import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Outcome } from "../../../../src/driver.ts";
import { readDeadLetter, writeDeadLetter } from "../../../../src/drivers/http/calls.ts";
import { decodeText, encodeText, OUTCOME_STATUS, readOutcome } from "../../../../src/drivers/http/wire.ts";

const time = fc.integer({ min: 0, max: 8.64e15 });
const outcomes: fc.Arbitrary<Outcome> = fc.oneof(
  fc.constant<Outcome>({ kind: "ack" }),
  fc.constant<Outcome>({ kind: "release" }),
  fc.record({
    kind: fc.constant("retry" as const),
    delayMs: fc.double({ min: 0, max: 1e9, noNaN: true }).map((delayMs) => delayMs + 0),
    attempt: fc.integer({ min: 1 }),
    firstFailureAt: fc.option(time, { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant("dead" as const),
    to: fc.oneof(fc.constant<false>(false), fc.constantFrom("dlq.a.b", "graveyard", "dlq.grün.*x")),
    reason: fc.string({ unit: "binary" }),
    attempts: fc.nat(),
    firstAt: time,
    lastAt: time,
  }),
);

describe("header values", () => {
  test("carry any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const value = encodeText(text);
        expect(value).toMatch(/^[\x21-\x7e]*$/);
        expect(decodeText(value)).toBe(text);
      }),
    );
  });

  test.each([
    ["missing", undefined],
    ["a broken escape", "%"],
    ["half a character", "%c3"],
    ["no UTF-8", "%ff%fe"],
    ["several", ["a", "b"]],
  ])("%s is as good as missing", (_name, value) => expect(decodeText(value)).toBeUndefined());
});

describe("outcomes", () => {
  test("come back as they were", () => {
    fc.assert(
      fc.property(outcomes, (outcome) => {
        expect(readOutcome(JSON.stringify(outcome))).toEqual(outcome);
        expect(OUTCOME_STATUS[outcome.kind]).toBeGreaterThanOrEqual(200);
      }),
    );
  });

  test("are read from no other text, and reading throws nothing", () => {
    const rubbish = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record({
          kind: fc.constantFrom("retry", "dead", "ack ", "", "Ack"),
          delayMs: fc.anything(),
          attempt: fc.anything(),
          to: fc.anything(),
        })
        .map((value) => JSON.stringify(value) ?? ""),
    );
    fc.assert(
      fc.property(rubbish, (text) => {
        const read = readOutcome(text);
        if (read !== undefined) expect(["ack", "retry", "release", "dead"]).toContain(read.kind);
      }),
    );
  });

  test.each([
    ["a retry at no time", { kind: "retry", attempt: 1 }],
    ["a retry before now", { kind: "retry", attempt: 1, delayMs: -1 }],
    ["a retry in eternity", { kind: "retry", attempt: 1, delayMs: 1e300 }],
    ["an attempt before the first", { kind: "retry", attempt: 0, delayMs: 1 }],
    ["half an attempt", { kind: "retry", attempt: 1.5, delayMs: 1 }],
    ["death at no time", { kind: "dead", to: false, reason: "", attempts: 1, firstAt: null, lastAt: 1 }],
    [
      "death at a time that no date holds",
      { kind: "dead", to: false, reason: "", attempts: 1, firstAt: 1e300, lastAt: 1 },
    ],
    ["death to no topic", { kind: "dead", to: "", reason: "", attempts: 1, firstAt: 1, lastAt: 1 }],
    ["death to a pattern", { kind: "dead", to: "a.>", reason: "", attempts: 1, firstAt: 1, lastAt: 1 }],
    ["death without a reason", { kind: "dead", to: false, attempts: 1, firstAt: 1, lastAt: 1 }],
    ["half a death", { kind: "dead", to: false, reason: "", attempts: 0.5, firstAt: 1, lastAt: 1 }],
  ])("%s is none", (_name, value) => expect(readOutcome(JSON.stringify(value))).toBeUndefined());
});

describe("dead letters between processes", () => {
  test("come back as they were", () => {
    const header = fc.dictionary(
      fc.oneof(fc.string({ unit: "binary" }), fc.constant("__proto__")),
      fc.string({ unit: "binary" }),
      { noNullPrototype: false },
    );
    fc.assert(
      fc.property(header, fc.uint8Array(), fc.option(fc.string(), { nil: undefined }), (map, body, queue) => {
        const letter = {
          id: "1",
          topic: "a.b",
          queue,
          reason: "r",
          attempts: 3,
          firstAt: new Date(1),
          lastAt: new Date(2),
          header: map,
          body,
        };
        const read = readDeadLetter(JSON.parse(JSON.stringify(writeDeadLetter(letter))));
        expect(Object.entries(read.header).sort()).toEqual(Object.entries(map).sort());
        expect(Buffer.compare(Buffer.from(read.body), Buffer.from(body))).toBe(0);
        expect({ ...read, header: {}, body: 0 }).toEqual({ ...letter, header: {}, body: 0 });
      }),
    );
  });
});
