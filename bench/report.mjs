// What the bench found: as text, as Markdown and as a page that needs nothing else.
import { howMeasured, skippedLines, whereMeasured } from "./notes.mjs";
import { sectionsOf, tablesToKeep } from "./sections.mjs";
import { escapeMarkup, htmlTable, markdownTable, textTable } from "./tables.mjs";

/** The report for a terminal. */
export function textReport(report) {
  const sections = sectionsOf(report).flatMap(({ title, about, tables }) => [
    title,
    ...about,
    ...tables.slice(0, 1).map(textTable),
    "",
  ]);
  return [...sections, ...howMeasured(report), ...skippedLines(report)].join("\n");
}

/** The report as the generated part of a document; `charts` says where the file of a chart is. */
export function markdownReport(report, charts) {
  const sections = sectionsOf(report).flatMap(({ level, title, about, chart, ...section }) => [
    `${"#".repeat(level)} ${title}`,
    ...about,
    ...(chart === undefined ? [] : [`![${chart.alternative}](${charts(chart.name)})`]),
    ...tablesToKeep(section).map(markdownTable),
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
  const sections = sectionsOf(report).flatMap(({ level, title, about, chart, ...section }) => [
    `<h${level}>${escapeMarkup(title)}</h${level}>`,
    ...paragraphs(about),
    ...(chart === undefined ? [] : [chart.svg]),
    ...tablesToKeep(section).map(
      (cells, index) => `<div class="wide">${htmlTable(cells, index === 0 ? "figures" : "words")}</div>`,
    ),
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
:root { color-scheme: light dark; --ink: #24292f; --paper: #fff; --faint: #d0d7de; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --faint: #30363d; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 92rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; margin: 1rem 0; }
th, td { border: 1px solid var(--faint); padding: 0.25rem 0.5rem; text-align: left; vertical-align: top; }
.figures td { white-space: nowrap; }
.figures td:last-child { white-space: normal; min-width: 9rem; }
.words td:first-child { white-space: nowrap; }
p { max-width: 70rem; }
svg { max-width: 100%; height: auto; }
`;

function list(lines) {
  return lines.map((line) => `- ${line}`).join("\n");
}
