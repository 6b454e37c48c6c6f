// The bench: runs what is asked for and reports it.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readArguments, USAGE } from "./arguments.mjs";
import { compare, comparisonLines, readBaseline, writeBaseline } from "./baseline.mjs";
import { writeDocs } from "./docs.mjs";
import { environment } from "./environment.mjs";
import { chosenGroups } from "./groups.mjs";
import { growthBrokers, growthSteps, measureGrowth } from "./growth/measure.mjs";
import { measureGroup, stepsOf } from "./measure.mjs";
import { Steps } from "./progress.mjs";
import { htmlReport, textReport } from "./report.mjs";
import { measureStart, startSteps } from "./start.mjs";
import { measureStorage, storageSteps } from "./storage.mjs";

/** What is measured in another way than the groups, by name. */
const OTHERS = {
  storage: {
    title: "Storage of the HTTP broker",
    about:
      "Publishes that resolve when their message is on disk, beside what the store does with the same bodies in the same groups.",
    measure: measureStorage,
    stepsOf: storageSteps,
  },
  start: {
    title: "Start-up",
    about:
      "Whole processes: one that loads Tidings beside an empty one, and one that ends with the first message that it handles on the embedded broker beside one that ends when a bare HTTP server has answered its first request.",
    measure: measureStart,
    stepsOf: startSteps,
  },
};

const GROWTH = {
  name: "growth",
  title: "Cost as work grows",
  about:
    "What a delivered message costs on a broker of Tidings when there is more of something, compared with the first point of each curve: processor time and memory of all processes, and deliveries a second. The points of a curve take turns, each with processes of its own.",
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
  process.env.TIDINGS_BENCH_HEAP_MIB = String(options.heapMiB);
  const { rounds, ms, rate, latencyMessages, heapMiB, inFlight, full } = options;
  const report = {
    date: new Date().toISOString().slice(0, 10),
    environment: environment(),
    options: { rounds, ms, rate, latencyMessages, heapMiB, inFlight, full },
    groups: [],
    skipped: {},
  };
  const parts = partsOf(chosen, options);
  const steps = new Steps(
    process.stderr,
    parts.map(({ count }) => count),
  );
  try {
    for (const { heading, count, measure } of parts) {
      steps.beginPart(count);
      const { rows, skipped = {} } = await measure(steps);
      steps.endPart();
      Object.assign(report.skipped, skipped);
      addRows(report.groups, heading, rows);
    }
    return report;
  } finally {
    steps.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The parts of the run, in turn: the heading of their rows, how many steps they take at most, and how they are measured. */
function partsOf(chosen, options) {
  const groups = chosen.map((group) => ({
    heading: { name: group.name, title: group.title, about: group.about },
    count: stepsOf(group, options),
    measure: (steps) => measureGroup(group, options, steps),
  }));
  const others = Object.entries(OTHERS)
    .filter(([name]) => options.only === undefined || options.only.includes(name))
    .map(([name, { title, about, measure, stepsOf: count }]) => ({
      heading: { name, title, about },
      count: count(options),
      measure: async (steps) => ({ rows: await measure(options, steps) }),
    }));
  const growth = growthBrokers(options).map((broker) => ({
    heading: GROWTH,
    count: growthSteps(broker, options),
    measure: (steps) => measureGrowth(broker, options, steps),
  }));
  return [...groups, ...others, ...growth];
}

/** Puts rows under their heading; those of all brokers' growth are under one. */
function addRows(groups, heading, rows) {
  if (rows.length === 0) return;
  const found = groups.find(({ name }) => name === heading.name);
  if (found === undefined) groups.push({ ...heading, rows });
  else found.rows.push(...rows);
}
