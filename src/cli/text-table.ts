import Table from "cli-table3";
import type { Output } from "./terminal.ts";

/** Blanks between columns. */
const GAP = 2;
const MARGIN = "  ";
/** A column is never narrower than this: a terminal that is too narrow even so shows lines that are too long. */
const MIN_TEXT = 6;
/** Text whose every character takes one column: its length says how wide it is. */
const PLAIN = /^[\u0020-\u007e]*$/;
/** Where a text that has to go on in the next line is cut if there is no blank: after these. */
const BREAKS = new Set([".", "-", "_", "/"]);
const NO_BORDERS = Object.fromEntries(
  ["top", "bottom", "left", "right", "mid"].flatMap((side) =>
    ["", "-mid", "-left", "-right"].map((part) => [`${side}${part}`, ""]),
  ),
);

/** How wide a table on this stream may be: as the terminal; without one, as wide as it needs. */
export function widthOf(stream: Output): number {
  return stream.isTTY === true && stream.columns ? stream.columns : Number.POSITIVE_INFINITY;
}

/**
 * A table without borders, a little indented, and no wider than `width`: cells of the widest columns go on in further lines.
 * @param headings one for each column; `paint` colours them
 */
export function textTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
  paint: (heading: string) => string,
): string {
  const natural = headings.map((heading, column) =>
    rows.reduce((widest, row) => Math.max(widest, textWidth(row[column] ?? "")), textWidth(heading)),
  );
  const widths = shrink(natural, width - MARGIN.length);
  const wrapped = rows.map((row) => row.map((text, column) => wrap(text, widths[column] ?? MIN_TEXT)));
  const top = headings.map(
    (heading, column) => paint(heading) + " ".repeat(Math.max(1, (widths[column] ?? 0) + GAP - heading.length)),
  );
  return [top.join(""), ...wrapped.flatMap((cells) => rowLines(cells, widths))]
    .map((line) => `${MARGIN}${line}`.trimEnd())
    .join("\n");
}

/** The lines of a row, from the lines of its cells. */
function rowLines(cells: readonly (readonly string[])[], widths: readonly number[]): string[] {
  const height = Math.max(...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, index) =>
    cells.map((lines, column) => padded(lines[index] ?? "", (widths[column] ?? MIN_TEXT) + GAP)).join(""),
  );
}

/** A line with blanks up to `width`. Only what has to be measured goes to the library: it takes long, and there may be thousands. */
function padded(line: string, width: number): string {
  if (PLAIN.test(line)) return line.padEnd(width);
  const table = new Table({
    colWidths: [width],
    chars: { ...NO_BORDERS, middle: "" },
    style: { head: [], border: [], "padding-left": 0, "padding-right": GAP },
  });
  table.push([line]);
  return table.toString();
}

/** Takes from the widest column, again and again, until all fit. */
function shrink(natural: readonly number[], available: number): number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, width) => sum + width, (widths.length - 1) * GAP) - available;
  while (excess > 0) {
    const widest = widths.indexOf(Math.max(...widths));
    if ((widths[widest] ?? 0) <= MIN_TEXT) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess -= 1;
  }
  return widths;
}

/** The lines of a text, none wider than `width`. */
function wrap(text: string, width: number): string[] {
  if (textWidth(text) <= width) return [text];
  const lines: string[] = [];
  let line: string[] = [];
  let taken = 0;
  for (const character of text) {
    if (taken + textWidth(character) > width) {
      const cut = character === " " ? line.length : cutOf(line);
      lines.push(line.slice(0, cut).join("").trimEnd());
      line = line.slice(cut);
      taken = textWidth(line.join(""));
    }
    if (character === " " && line.length === 0 && lines.length > 0) continue;
    line.push(character);
    taken += textWidth(character);
  }
  return [...lines, line.join("")];
}

/** Where to cut a full line: after its last blank, else after another break in its second half, else at its end. */
function cutOf(line: readonly string[]): number {
  const blank = line.lastIndexOf(" ") + 1;
  const other = line.findLastIndex((character) => BREAKS.has(character)) + 1;
  return blank > 0 ? blank : other > line.length / 2 ? other : line.length;
}

/** An upper bound of the columns that a text takes: characters beyond the Latin ones may take two. */
function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += (character.codePointAt(0) ?? 0) > 0x2ff ? 2 : 1;
  return width;
}
