import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { textTable } from "../../src/cli/text-table.ts";

const HEADINGS = ["id", "topic", "reason"];
const paint = (heading: string) => heading;
const cell = fc.string({ unit: fc.constantFrom("e", "x", " ", ".", "-", "/", "\\"), maxLength: 60 });
const table = fc.array(fc.tuple(cell, cell, cell), { maxLength: 6 });

describe("a table", () => {
  test("of thousands of rows is there before anybody thinks that it hangs", () => {
    const row = [
      "025b4e47-d085-4df4-abf7-73e2090ebd00",
      "orders.created",
      "the payment service did not answer ".repeat(5),
    ];
    const lines = textTable(HEADINGS, Array(5_000).fill(row), 80, paint).split("\n");
    expect(lines.length).toBeGreaterThan(5_000);
    expect(lines.every((line) => line.length <= 80)).toBe(true);
  });

  test("of more rows than a call takes arguments is written all the same", () => {
    expect(textTable(HEADINGS, Array(200_000).fill(["1", "t", "-"]), 80, paint).split("\n")).toHaveLength(200_001);
  });

  test("shows its headings whole, with colours as without", () => {
    const columns = ["id", "members", "messages"];
    const rows = [["025b4e47-d085-4df4-abf7-73e2090ebd00", "1", "2"]];
    const [plain, painted] = [paint, (heading: string) => `<${heading}>`].map(
      (brush) => textTable(columns, rows, 22, brush).split("\n")[0],
    );
    expect(painted?.replace(/[<>]/g, "")).toBe(plain);
    expect(plain?.split(/ +/)).toEqual(["", ...columns]);
  });

  test("has plain text in the same places as text that has to be measured", () => {
    fc.assert(
      fc.property(table, fc.integer({ min: 20, max: 90 }), (rows, width) => {
        const accented = rows.map((row) => row.map((text) => text.replaceAll("e", "é")));
        expect(textTable(HEADINGS, rows, width, paint)).toBe(
          textTable(HEADINGS, accented, width, paint).replaceAll("é", "e"),
        );
      }),
    );
  });
});
