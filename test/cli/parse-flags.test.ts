import { describe, expect, test } from "vitest";
import { collectHeader, milliseconds, rate, wholeNumber } from "../../src/cli/parse-flags.ts";

const invalid = expect.objectContaining({ code: "ERR_INVALID_OPTION" });

describe("flags", () => {
  test("that count are whole and at least 1", () => {
    expect(wholeNumber("--count")("20")).toBe(20);
    for (const text of ["0", "-1", "1.5", "", "x", "1e3", "99999999999999999999"])
      expect(() => wholeNumber("--count")(text)).toThrow(invalid);
  });

  test("that are rates are more than 0", () => {
    expect(rate("--rate")("0.5")).toBe(0.5);
    for (const text of ["0", "-1", "", "fast", "Infinity"]) expect(() => rate("--rate")(text)).toThrow(invalid);
  });

  test("that are milliseconds are whole, 0 too", () => {
    expect(milliseconds("--timeout-ms")("0")).toBe(0);
    for (const text of ["-1", "1s", "", "0.5"]) expect(() => milliseconds("--timeout-ms")(text)).toThrow(invalid);
  });

  test("that are headers collect, with any value", () => {
    const header = collectHeader("__proto__=", collectHeader("a=b=c", undefined));
    expect(Object.entries(header)).toEqual([
      ["a", "b=c"],
      ["__proto__", ""],
    ]);
    for (const text of ["a", "=b", ""]) expect(() => collectHeader(text, undefined)).toThrow(invalid);
    expect(() => collectHeader("a=2", { a: "1" })).toThrow(invalid);
  });
});
