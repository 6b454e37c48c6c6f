import { describe, expect, test } from "vitest";
import { ERROR_CODES } from "../../src/error-codes.ts";
import { filesUnder, textOf } from "./tree.ts";

const document = textOf("docs/errors.md");

/** The rows of the table in docs/errors.md: code, retryable, scope, what happened, what to do. */
const rows = document
  .split("\n")
  .filter((line) => /^\| `ERR_/.test(line))
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .map(([, code = "", retryable, scope, happened, advice]) => ({
    code: code.replaceAll("`", ""),
    retryable,
    scope,
    happened,
    advice,
  }));

describe("docs/errors.md", () => {
  test("has one row for each code, in the order of the table", () => {
    expect(rows.map((row) => row.code)).toEqual(Object.keys(ERROR_CODES));
  });

  test.each(Object.entries(ERROR_CODES))("says about %s what the table says", (code, entry) => {
    const row = rows.find((one) => one.code === code);
    expect(row).toMatchObject({
      retryable: entry.retryable ? "yes" : "no",
      scope: entry.scope,
      happened: entry.summary,
    });
    expect(row?.advice, "what to do").not.toBe("");
  });

  test("names no code that is not in the table", () => {
    const named = new Set(document.match(/\bERR_[A-Z_]+\b/g));
    expect([...named].filter((code) => !(code in ERROR_CODES))).toEqual([]);
  });
});

describe("the error codes", () => {
  const elsewhere = filesUnder("src", ".ts")
    .filter((path) => path !== "src/error-codes.ts")
    .map(textOf)
    .join("\n");

  test.each(Object.keys(ERROR_CODES))("%s is used in src", (code) => {
    expect(elsewhere.includes(`"${code}"`)).toBe(true);
  });

  test("that src and the other documents name are in the table", () => {
    const texts = ["README.md", "CONTRIBUTING.md", ...filesUnder("docs", ".md"), ...filesUnder("src", ".ts")];
    const unknown = texts.flatMap((path) =>
      [...new Set(textOf(path).match(/\bERR_[A-Z_]+\b/g))]
        .filter((code) => !(code in ERROR_CODES) && !/^ERR_(CODE$|(HTTP|STREAM|SOCKET|SERVER|TLS|MODULE)_)/.test(code))
        .map((code) => `${path}: ${code}`),
    );
    expect(unknown).toEqual([]);
  });
});
