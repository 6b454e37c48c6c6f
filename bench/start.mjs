// How long processes take from their start to their end: what loading Tidings costs, and the first message.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { rowsOf } from "./rows.mjs";

/** Who is compared with whom: the files of `starts`. */
const PAIRS = [
  ["import", "empty"],
  ["receiving", "bare-http"],
];

/** Starts of each in a round, whose mean counts: a process is over so soon that one alone says little. */
const STARTS = 5;

/** How many steps start-up takes. */
export function startSteps({ rounds }) {
  return rounds + 1;
}

/** The rows of start-up, in milliseconds. */
export async function measureStart({ rounds }, steps) {
  const figures = [];
  // Round 0 warms the file system's cache and is not counted.
  for (let round = 0; round <= rounds; round += 1) {
    steps.begin(`start: ${round === 0 ? "warm-up" : `round ${round} of ${rounds}`}`);
    const took = new Map(PAIRS.flat().map((name) => [name, 0]));
    for (let start = 0; start < STARTS; start += 1)
      for (const name of took.keys()) took.set(name, took.get(name) + once(name));
    if (round > 0) figures.push([...took].map(([contestant, ms]) => ({ contestant, time: ms / STARTS })));
  }
  return PAIRS.flatMap(([ours, name]) => rowsOf("start", figures, ours, [{ name, peer: false }]));
}

/** How long one process took, in milliseconds. @throws {Error} where it failed */
function once(name) {
  const file = fileURLToPath(new URL(`starts/${name}.mjs`, import.meta.url));
  const startedAt = performance.now();
  const { status, error } = spawnSync(process.execPath, [file], { stdio: ["ignore", "ignore", "inherit"] });
  const tookMs = performance.now() - startedAt;
  if (status !== 0) throw new Error(`${name} ended with ${status}`, { cause: error });
  return tookMs;
}
