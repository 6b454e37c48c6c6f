// The bench: runs what is asked for and reports it.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readArguments, USAGE } from "./arguments.mjs";
import { compare, comparisonLines, readBaseline, writeBaseline } from "./baseline.mjs";
import { writeDocs } from "./docs.mjs";
import { environment } from "./environment.mjs";
import { chosenGroups } from "./groups.mjs";
import { measureGroup } from "./measure.mjs";
import { htmlReport, textReport } from "./report.mjs";
import { measureStart } from "./start.mjs";
import { measureStorage } from "./storage.mjs";

/** What is measured in another way than the groups, by name. */
const OTHERS = {
  storage: {
    title: "Storage of the HTTP broker",
    about:
      "Publishes that resolve when their message is on disk, beside what the store does with the same bodies in the same groups.",
    measure: measureStorage,
  },
  start: {
    title: "Start-up",
    about:
      "Whole processes: one that loads Tidings beside an empty one, and one that ends with the first message that it handles on the embedded broker beside one that ends when a bare HTTP server has answered its first request.",
    measure: measureStart,
  },
};

/** Runs the bench and prints its report; resolves with the exit status. */
export async function runBench(args) {
  let options;
  let groups;
  let baseline;
  try {
    options = readArguments(args);
    groups = chosenGroups(options.only, options);
    // Before anything is measured: there may be none.
    if (options.check) baseline = readBaseline();
  } catch (error) {
    console.error(`ERR_INVALID_OPTION: ${error.message}`);
    return 2;
  }
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  const report = await measureAll(groups, options);
  if (options.html !== undefined) writeFileSync(options.html, htmlReport(report));
  if (options.docs) writeDocs(report);
  if (options.writeBaseline) writeBaseline(report);
  console.log(options.json ? JSON.stringify(report) : textReport(report));
  return baseline === undefined ? 0 : checked(report, baseline, options);
}

/** Says how the report compares with the baseline; returns the exit status. */
function checked(report, baseline, { only }) {
  const found = compare(report, baseline);
  // What was not asked for is not missed.
  const comparison = only === undefined ? found : { ...found, missing: [] };
  for (const line of comparisonLines(comparison, baseline)) console.error(line);
  return comparison.worse.length === 0 && comparison.compared > 0 ? 0 : 1;
}

async function measureAll(chosen, options) {
  const folder = mkdtempSync(join(tmpdir(), "tidings-bench-"));
  // A registry of its own: nobody else's processes take part.
  process.env.TIDINGS_LOCAL_REGISTRY_FOLDER = folder;
  const { rounds, ms, rate, latencyMessages, only } = options;
  const report = {
    date: new Date().toISOString().slice(0, 10),
    environment: environment(),
    options: { rounds, ms, rate, latencyMessages },
    groups: [],
    skipped: {},
  };
  try {
    for (const group of chosen) {
      const { rows, skipped } = await measureGroup(group, options);
      Object.assign(report.skipped, skipped);
      if (rows.length > 0) report.groups.push({ name: group.name, title: group.title, about: group.about, rows });
    }
    for (const [name, { title, about, measure }] of Object.entries(OTHERS))
      if (only === undefined || only.includes(name))
        report.groups.push({ name, title, about, rows: await measure(options) });
    return report;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
