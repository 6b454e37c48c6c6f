// Rows as tables: as text for a terminal, in Markdown, and in HTML.
import { MEASURES } from "./rows.mjs";

const KIBIBYTE = 1024;
const MEBIBYTE = KIBIBYTE ** 2;

/** What has figures of its own in a table; of the rest only ratios. */
const WITH_FIGURES = ["throughput", "time"];

/** `1.23 (1.10-1.31)`: the median, the smallest and the largest. */
export function ratioText({ median, min, max }) {
  return `${number(median)} (${number(min)}-${number(max)})`;
}

/** A number with three digits that say something, and no more behind the point than two. */
export function number(value) {
  if (value >= 100) return String(Math.round(value));
  return value >= 0.1 ? value.toFixed(2) : value.toPrecision(2);
}

/** `100 B`, `64 KiB`, `1 MiB`. */
export function sizeText(bytes) {
  if (bytes % MEBIBYTE === 0) return `${bytes / MEBIBYTE} MiB`;
  return bytes % KIBIBYTE === 0 ? `${bytes / KIBIBYTE} KiB` : `${bytes} B`;
}

/** The cells of a group's rows: the head first, then a line for each contestant, neighbour and size. */
export function cellsOf(rows) {
  const measures = Object.keys(MEASURES).filter((measure) => rows.some((row) => row.measure === measure));
  const figures = measures.filter((measure) => WITH_FIGURES.includes(measure));
  const sized = rows.some(({ bodyBytes }) => bodyBytes !== undefined);
  const lines = grouped(rows);
  const head = [
    "Tidings",
    "beside",
    ...(sized ? ["body"] : []),
    ...figures.flatMap((measure) => [`ours, ${MEASURES[measure].unit}`, `theirs, ${MEASURES[measure].unit}`]),
    ...measures.map((measure) => `${MEASURES[measure].title}, ours / theirs`),
  ];
  const body = lines.map((line) => {
    const [{ contestant, beside, bodyBytes }] = line;
    const of = (measure) => line.find((row) => row.measure === measure);
    return [
      contestant,
      beside,
      ...(sized ? [sizeText(bodyBytes)] : []),
      ...figures.flatMap((measure) => [of(measure)?.own, of(measure)?.other].map((one) => figure(one))),
      ...measures.map((measure) => (of(measure) === undefined ? "" : ratioText(of(measure).ratio))),
    ];
  });
  return [head, ...body];
}

/** A table for a terminal. */
export function textTable(cells) {
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** A table in Markdown. */
export function markdownTable([head, ...body]) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...body.map(line)].join("\n");
}

/** A table in HTML, of a class. */
export function htmlTable([head, ...body], kind) {
  const line = (cells, tag) => `<tr>${cells.map((cell) => `<${tag}>${escapeMarkup(cell)}</${tag}>`).join("")}</tr>`;
  return `<table class="${kind}">\n<thead>${line(head, "th")}</thead>\n<tbody>\n${body.map((row) => line(row, "td")).join("\n")}\n</tbody>\n</table>`;
}

/** Text that stands in HTML or SVG as it is. */
export function escapeMarkup(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function figure(value) {
  return value === undefined ? "" : number(value.median);
}

function lineOf({ contestant, beside, bodyBytes }) {
  return JSON.stringify([contestant, beside, bodyBytes]);
}

function grouped(rows) {
  const lines = new Map();
  for (const row of rows) lines.set(lineOf(row), [...(lines.get(lineOf(row)) ?? []), row]);
  return [...lines.values()];
}
