// What the bench found: as text, as Markdown and as a page that needs nothing else.
import { chartsOf } from "./charts.mjs";
import { commandOf, howMeasured, promiseCells, skippedLines, whereMeasured } from "./notes.mjs";
import { cellsOf, escapeMarkup, htmlTable, markdownTable, textTable } from "./tables.mjs";

/** The report for a terminal. */
export function textReport(report) {
  const sections = report.groups.flatMap(({ title, rows }) => [title, textTable(cellsOf(rows)), ""]);
  return [...sections, ...howMeasured(report), ...skippedLines(report)].join("\n");
}

/** The report as the generated part of a document; `charts` says where the file of a group's chart is. */
export function markdownReport(report, charts) {
  const sections = report.groups.flatMap(({ name, title, about, rows }) => [
    `## ${title}`,
    ...(about === undefined ? [] : [about]),
    `![${title}: ratios as bars](${charts(name)})`,
    markdownTable(withCommand(cellsOf(rows), name)),
    ...promises(rows, markdownTable),
  ]);
  const skipped = skippedLines(report);
  return [
    list([...whereMeasured(report), ...howMeasured(report)]),
    ...sections,
    ...(skipped.length === 0 ? [] : ["## Not measured", list(skipped)]),
  ].join("\n\n");
}

/** The report as one HTML page, with its charts in it. */
export function htmlReport(report) {
  const paragraphs = (lines) => lines.map((line) => `<p>${escapeMarkup(line)}</p>`);
  const charts = new Map(chartsOf(report).map(({ name, svg }) => [name, svg]));
  const sections = report.groups.flatMap(({ name, title, about, rows }) => [
    `<h2>${escapeMarkup(title)}</h2>`,
    ...paragraphs(about === undefined ? [] : [about]),
    charts.get(name),
    htmlTable(withCommand(cellsOf(rows), name)),
    ...promises(rows, htmlTable),
  ]);
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    "<title>Tidings: measured against the field</title>",
    `<style>${STYLE}</style>`,
    "</head>",
    "<body>",
    "<h1>Tidings: measured against the field</h1>",
    ...paragraphs([...whereMeasured(report), ...howMeasured(report), ...skippedLines(report)]),
    ...sections,
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; color: #24292f; background: #fff; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-size: 13px; margin: 1rem 0; }
th, td { border: 1px solid #d0d7de; padding: 0.25rem 0.5rem; text-align: left; }
svg { max-width: 100%; height: auto; }
`;

/** A last column with what repeats each row. */
function withCommand([head, ...body], name) {
  return [[...head, "again with"], ...body.map((row) => [...row, commandOf(name)])];
}

/** The table of promises, where there is one. */
function promises(rows, table) {
  const cells = promiseCells(rows);
  return cells.length === 1 ? [] : [table(cells)];
}

function list(lines) {
  return lines.map((line) => `- ${line}`).join("\n");
}
