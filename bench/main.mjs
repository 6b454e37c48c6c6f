// The bench: runs what is asked for and reports it.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readArguments, USAGE } from "./arguments.mjs";
import { writeDocs } from "./docs.mjs";
import { environment } from "./environment.mjs";
import { chosenGroups } from "./groups.mjs";
import { measureGroup } from "./measure.mjs";
import { htmlReport, textReport } from "./report.mjs";
import { measureStorage } from "./storage.mjs";

/** What is measured in another way than the groups, by name. */
const OTHERS = {
  storage: { title: "Storage of the HTTP broker", measure: measureStorage },
};

/** Runs the bench and prints its report; resolves with the exit status. */
export async function runBench(args) {
  let options;
  let groups;
  try {
    options = readArguments(args);
    groups = chosenGroups(options.only, options);
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
  console.log(options.json ? JSON.stringify(report) : textReport(report));
  return 0;
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
    for (const [name, { title, measure }] of Object.entries(OTHERS))
      if (only === undefined || only.includes(name)) report.groups.push({ name, title, rows: await measure(options) });
    return report;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
