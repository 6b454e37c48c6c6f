// Compares ratios with those that were written down earlier. Absolute figures are never compared: they are the machine's.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { MEASURES } from "./rows.mjs";
import { ratioText } from "./tables.mjs";

const FILE = fileURLToPath(new URL("baseline.json", import.meta.url));

/** How much worse than the worst ratio of the baseline the median may be: a quarter. */
const TOLERANCE = 0.25;

/** What a baseline holds of a report: the steady ratios to what the project has itself, not to peers, which change on their own. */
export function baselineOf({ date, environment: { node, cpu, cores }, groups }) {
  const rows = groups.flatMap((group) => group.rows).filter((row) => !row.peer && isHeld(row));
  return {
    date,
    node,
    machine: `${cores} cores of ${cpu}`,
    ratios: Object.fromEntries(rows.map((row) => [keyOf(row), rounded(row.ratio)])),
  };
}

/**
 * Compares a report with a baseline. `worse`: rows whose median is clearly worse than the worst of the baseline; `missing`: what
 * the baseline has and the report does not; `compared`: how many both have.
 */
export function compare(report, baseline) {
  const found = new Map(report.groups.flatMap(({ rows }) => rows.map((row) => [keyOf(row), row])));
  const worse = [];
  const missing = [];
  let compared = 0;
  for (const [key, was] of Object.entries(baseline.ratios)) {
    const row = found.get(key);
    if (row === undefined) {
      missing.push(key);
      continue;
    }
    compared += 1;
    const limit = limitOf(row.measure, was);
    const { median } = row.ratio;
    const { better } = MEASURES[row.measure];
    if (better === "more" ? median < limit : median > limit) worse.push({ key, ratio: row.ratio, was, limit, better });
  }
  return { compared, worse, missing };
}

/** What a comparison says, as lines. */
export function comparisonLines({ compared, worse, missing }, { date, machine }) {
  return [
    `Compared ${compared} ratios with the baseline of ${date} (${machine}); a median may be ${TOLERANCE * 100} % worse than the baseline's worst.`,
    ...missing.map((key) => `Not measured, but in the baseline: ${key}.`),
    ...worse.map(
      ({ key, ratio, was, limit, better }) =>
        `WORSE: ${key}: ${ratioText(ratio)}, was ${ratioText(was)}: ${better} is better, and the limit is ${limit.toPrecision(3)}.`,
    ),
    worse.length === 0 ? "No ratio is clearly worse." : `${worse.length} ratios are clearly worse.`,
  ];
}

/** Reads the committed baseline. @throws {Error} where there is none */
export function readBaseline() {
  if (!existsSync(FILE)) throw new Error("there is no bench/baseline.json yet: --write-baseline writes it");
  return JSON.parse(readFileSync(FILE, "utf8"));
}

/** Writes the baseline that is to be committed. */
export function writeBaseline(report) {
  writeFileSync(FILE, `${JSON.stringify(baselineOf(report), undefined, 2)}\n`);
}

/** Of growth only what does not hang on what else the machine does; a first point beside itself says nothing. */
function isHeld({ contestant, beside, curve, measure }) {
  if (curve !== undefined) return contestant !== beside && measure !== "throughput";
  return MEASURES[measure].steady;
}

function limitOf(measure, { min, max }) {
  return MEASURES[measure].better === "more" ? min * (1 - TOLERANCE) : max / (1 - TOLERANCE);
}

function keyOf({ contestant, beside, bodyBytes, measure }) {
  const size = bodyBytes === undefined ? [] : [`${bodyBytes} B`];
  return [`${contestant} / ${beside}`, ...size, measure].join(", ");
}

/** Three digits are more than a ratio holds. */
function rounded(ratio) {
  return Object.fromEntries(Object.entries(ratio).map(([name, value]) => [name, Number(value.toPrecision(3))]));
}
