// Writes the capability matrix of README.md, from what the built drivers declare and what the conformance kit reported.
//   node scripts/capabilities.mjs                      rewrites the block
//   node scripts/capabilities.mjs --check              fails if the block is not current
//   node scripts/capabilities.mjs --check --declared   looks at the drivers' declarations only
// Without reports (no test has run yet) the part that comes from them is left as it is.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const readme = join(root, "README.md");
const REPORTS = "test/conformance/report";
const DECLARED = ["<!-- capabilities:start -->", "<!-- capabilities:end -->"];
const PROVED = ["<!-- conformance:start -->", "<!-- conformance:end -->"];

/** The rows of the matrix: a capability, what it is called, and how its value is shown. */
const ROWS = [
  ["guarantee", "delivers", (value) => value.replaceAll("-", " ")],
  ["processes", "between processes", yesNo],
  ["durable", "keeps queues over a restart", yesNo],
  ["standingQueues", "queues keep messages without a member", yesNo],
  ["deadLetters", "dead letters can be listed, redriven, dropped", yesNo],
  ["deadLetterMove", "a dead letter is", (value) => (value === "move" ? "moved in one step" : "published, then acked")],
  ["ordered", "first attempts come in order (D8)", yesNo],
  ["keyAffinity", "a key stays with one member", yesNo],
  ["mandatory", "`mandatory` can tell", yesNo],
  ["retryDelaysMs", "retry delays", (value) => (value === "any" ? "any" : `${value.join(", ")} ms`)],
  ["maxMessageBytes", "its own limit of a message", (value) => (value === null ? "none" : `${value} bytes`)],
];

const text = readFileSync(readme, "utf8");
const reports = process.argv.includes("--declared") ? [] : readReports();
let current = replaceBlock(text, DECLARED, declaredTable(await readDeclarations()));
if (reports.length > 0) current = replaceBlock(current, PROVED, provedTable(reports));

if (current !== text && process.argv.includes("--check")) {
  console.error("capabilities: the matrix in README.md is not current: run node scripts/capabilities.mjs");
  process.exit(1);
}
if (current !== text) writeFileSync(readme, current);

/** What each driver declares: the export of its module whose name ends in `Capabilities`. */
async function readDeclarations() {
  const drivers = [];
  for (const name of readdirSync(join(root, "dist/drivers"))) {
    const index = join(root, "dist/drivers", name, "index.js");
    if (!existsSync(index)) continue;
    const found = Object.entries(await import(pathToFileURL(index).href)).filter(([key]) => /Capabilities$/.test(key));
    if (found.length === 0) throw new Error(`dist/drivers/${name}/index.js exports no capabilities`);
    for (const [key, capabilities] of found) drivers.push({ name: key.replace(/Capabilities$/, ""), capabilities });
  }
  return drivers.sort(memoryFirst);
}

function readReports() {
  const folder = join(root, REPORTS);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")))
    .map(({ driver, checks }) => ({ name: driver, checks }))
    .sort(memoryFirst);
}

function declaredTable(drivers) {
  const known = new Set(ROWS.map(([key]) => key));
  for (const { name, capabilities } of drivers) {
    const unknown = Object.keys(capabilities).filter((key) => !known.has(key));
    if (unknown.length > 0) throw new Error(`scripts/capabilities.mjs has no row for ${unknown.join(", ")} of ${name}`);
  }
  const rows = ROWS.map(([key, label, show]) => [label, ...drivers.map(({ capabilities }) => show(capabilities[key]))]);
  return table(["", ...drivers.map(({ name }) => name)], rows);
}

/** For each promise, how many checks passed, and of how many. */
function provedTable(drivers) {
  const promises = [...new Set(drivers.flatMap(({ checks }) => checks.flatMap((check) => check.promises)))];
  promises.sort((one, other) => Number(one.slice(1)) - Number(other.slice(1)));
  const rows = promises.map((promise) => [promise, ...drivers.map(({ checks }) => tally(checks, promise))]);
  return table(["promise", ...drivers.map(({ name }) => name)], rows);
}

function tally(checks, promise) {
  const all = checks.filter((check) => check.promises.includes(promise));
  const passed = all.filter((check) => check.outcome === "passed").length;
  return passed === all.length ? `${passed}` : `${passed} of ${all.length}`;
}

function table(head, rows) {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function replaceBlock(page, [start, end], block) {
  const from = page.indexOf(start);
  const to = page.indexOf(end);
  if (from === -1 || to < from) throw new Error(`README.md has no ${start} ... ${end}`);
  return `${page.slice(0, from + start.length)}\n${block}\n${page.slice(to)}`;
}

function yesNo(value) {
  return value ? "yes" : "no";
}

function memoryFirst(one, other) {
  if (one.name === other.name) return 0;
  if (one.name === "memory" || other.name === "memory") return one.name === "memory" ? -1 : 1;
  return one.name < other.name ? -1 : 1;
}
