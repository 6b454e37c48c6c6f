import { describe, expect, test } from "vitest";
import { numberedBody, parseNumbered, SequenceLog } from "../../../src/testing/conformance/sequence-log.ts";

function logOf(sent: number, received: Readonly<Record<string, readonly number[]>>): SequenceLog {
  const log = new SequenceLog();
  for (let number = 0; number < sent; number += 1) log.sent("p", number);
  for (const [receiver, numbers] of Object.entries(received)) {
    for (const number of numbers) log.received(receiver, numberedBody("p", number));
  }
  return log;
}

describe("a sequence log", () => {
  test("finds nothing wrong with a whole sequence", () => {
    const log = logOf(3, { one: [0, 1, 2] });
    expect(log.audit()).toEqual({ sent: 3, received: 3, missing: [], duplicated: [], unexpected: [], outOfOrder: [] });
    expect(log.complete()).toBe(true);
    log.assertExact(undefined, { inOrder: true });
  });

  test("names what is missing", () => {
    const log = logOf(4, { one: [0, 2] });
    expect(log.audit().missing).toEqual(["p#1", "p#3"]);
    expect(log.complete()).toBe(false);
    expect(() => log.assertExact()).toThrow("4 sent, 2 received, 2 missing (p#1, p#3)");
  });

  test("names what came twice, also at two receivers", () => {
    const log = logOf(2, { one: [0, 0], two: [1, 0] });
    expect(log.audit().duplicated).toEqual(["p#0", "p#0"]);
    expect(() => log.assertExact()).toThrow("2 duplicated (p#0, p#0)");
  });

  test("takes each receiver for itself when it is named", () => {
    const log = logOf(2, { one: [0, 1], two: [0, 1], three: [1] });
    log.assertExact(["one"]);
    log.assertExact(["two"]);
    expect(log.complete(["three"])).toBe(false);
    expect(() => log.assertExact(["three"])).toThrow("three: 2 sent, 1 received, 1 missing (p#0)");
    expect(() => log.assertExact(["one", "two"])).toThrow("one + two: 2 sent, 4 received, 2 duplicated");
  });

  test("is not complete for a duplicate in place of a missing message", () => {
    expect(logOf(2, { one: [0, 0] }).complete()).toBe(false);
  });

  test("names what nobody sent", () => {
    const log = logOf(1, { one: [0, 7] });
    expect(log.audit().unexpected).toEqual(["p#7"]);
    expect(() => log.assertExact()).toThrow("1 unexpected (p#7)");
  });

  test("names what came after a higher number at the same receiver, duplicates aside", () => {
    const log = logOf(4, { one: [0, 2, 1, 2, 3] });
    expect(log.audit().outOfOrder).toEqual(["p#1"]);
    const shared = logOf(4, { one: [1, 3], two: [0, 2] });
    shared.assertExact(undefined, { inOrder: true });
    expect(() => logOf(2, { one: [1, 0] }).assertExact(undefined, { inOrder: true })).toThrow("1 out of order (p#0)");
  });

  test("keeps publishers apart", () => {
    const log = new SequenceLog();
    for (const publisher of ["a", "b"]) log.sent(publisher, 0);
    log.sent("b", 1);
    for (const text of ["b#0", "b#1", "a#0"]) log.received("one", text);
    log.assertExact(undefined, { inOrder: true });
    expect(log.count("one")).toBe(3);
    expect(log.count("nobody")).toBe(0);
  });

  test("shows no more than five examples", () => {
    expect(logOf(7, {}).describe()).toBe("7 sent, 0 received, 7 missing (p#0, p#1, p#2, p#3, p#4, ...)");
  });
});

test("the body of a numbered message is read back, whatever the publisher is called", () => {
  expect(parseNumbered(numberedBody("a#b", 12))).toEqual({ publisher: "a#b", number: 12 });
});
