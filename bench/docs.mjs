// Writes the figures and charts of the documents.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { markdownReport } from "./report.mjs";
import { sectionsOf } from "./sections.mjs";

const DOCS = join(dirname(dirname(fileURLToPath(import.meta.url))), "docs");
const PAGE = join(DOCS, "performance.md");
const CHARTS = join(DOCS, "performance");

/** What the generated part of the page stands between. */
const [BEGIN, END] = ["<!-- bench: begin -->", "<!-- bench: end -->"];

/** A page whose part between the markers is replaced. @throws {Error} where it has no such part */
export function replaceGenerated(page, generated) {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the page has no part between ${BEGIN} and ${END}`);
  return `${page.slice(0, from + BEGIN.length)}\n\n${generated}\n\n${page.slice(to)}`;
}

/** Writes `docs/performance.md` and its charts: what an earlier run left there goes. */
export function writeDocs(report) {
  const page = replaceGenerated(
    readFileSync(PAGE, "utf8"),
    markdownReport(report, (name) => `performance/${name}.svg`),
  );
  mkdirSync(CHARTS, { recursive: true });
  for (const file of readdirSync(CHARTS)) rmSync(join(CHARTS, file));
  for (const { chart } of sectionsOf(report))
    if (chart !== undefined) writeFileSync(join(CHARTS, `${chart.name}.svg`), chart.svg);
  writeFileSync(PAGE, page);
}
