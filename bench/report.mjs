// What the bench found, as text.
import { CONTESTANTS } from "./contestants.mjs";
import { cellsOf, textTable } from "./tables.mjs";

/** The whole report for a terminal. */
export function textReport({ options, groups, skipped }) {
  const sections = groups.flatMap(({ title, rows }) => [`${title}`, textTable(cellsOf(rows)), ""]);
  const { rounds, rate } = options;
  const flights = Object.entries(CONTESTANTS).map(([name, { inFlight }]) => `${name} ${inFlight}`);
  return [
    ...sections,
    `Medians of ${rounds} round(s) (smallest-largest); ratios, ours / theirs, within a round. Latency at ${rate} messages a second.`,
    `In flight: ${flights.join(", ")}.`,
    "CPU and memory are of publisher and subscriber together, without the engine's.",
    ...skippedLines(skipped),
  ].join("\n");
}

/** Who did not take part. */
export function skippedLines(skipped) {
  return Object.entries(skipped).map(([name, reason]) => `Not measured: ${name}: ${reason}.`);
}
