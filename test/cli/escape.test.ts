import { describe, expect, test } from "vitest";
import { jsonLine, visible } from "../../src/cli/escape.ts";

describe("visible", () => {
  test("shows control characters as escapes", () => {
    expect(visible("a\u001b[31mb\nc\td\re\u0000\u007f\u009b")).toBe("a\\u001b[31mb\\nc\\td\\re\\u0000\\u007f\\u009b");
  });

  test("shows what reorders or breaks lines", () => {
    expect(visible("x\u202ey\u2066z\u2028\u200f\ufeff")).toBe("x\\u202ey\\u2066z\\u2028\\u200f\\ufeff");
  });

  test("leaves all other text alone", () => {
    const text = 'Grüße, 日本 🎉 {"id":7} \\n';
    expect(visible(text)).toBe(text);
  });
});

describe("jsonLine", () => {
  test("means the same as JSON, without anything that a terminal acts upon", () => {
    const value = { body: "a\u001b\u009b31m\n\u2028\u202e🎉", ["__proto__x"]: "\u007f" };
    const line = jsonLine(value);
    expect(JSON.parse(line)).toEqual(value);
    expect(line).toMatch(/^[\u0020-\u007e\u{1f389}]*$/u);
  });
});
