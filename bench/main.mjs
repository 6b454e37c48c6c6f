// The bench: each contestant in turn, several rounds, on bodies of several sizes.
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { readArguments, USAGE } from "./arguments.mjs";
import { openHttp } from "./http.mjs";
import { openMemory } from "./memory.mjs";
import { openPlainPost } from "./plain-post.mjs";
import { summarize, table } from "./report.mjs";
import { openUndiciPost } from "./undici-post.mjs";
import { BODY_BYTES, IN_FLIGHT, latency, throughput } from "./workload.mjs";

const BASELINE = "plain-post";

/** Runs the bench and prints its report; resolves with the exit status. */
export async function runBench(args) {
  let options;
  try {
    options = readArguments(args);
  } catch (error) {
    console.error(`ERR_INVALID_OPTION: ${error.message}`);
    return 2;
  }
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), "tidings-bench-"));
  // A registry of its own: nobody else's processes take part.
  process.env.TIDINGS_LOCAL_REGISTRY_FOLDER = folder;
  try {
    const { json, rounds, rate } = options;
    const results = summarize(await measure(options), BASELINE);
    const report = {
      node: process.version,
      cores: availableParallelism(),
      rounds,
      rate,
      inFlight: IN_FLIGHT,
      baseline: BASELINE,
      results,
    };
    console.log(json ? JSON.stringify(report) : table(report));
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The figures of each round: one of each contestant and size. */
async function measure({ rounds, messages, rate, latencyMessages }) {
  const contestants = [];
  try {
    for (const open of [openMemory, openHttp, openPlainPost, openUndiciPost]) contestants.push(await open());
    const results = [];
    // Round 0 warms up and is not counted.
    for (let round = 0; round <= rounds; round += 1) {
      const figures = [];
      for (const bodyBytes of BODY_BYTES) {
        for (const contestant of contestants) {
          const { name, messagesFactor } = contestant;
          process.stderr.write(
            `${round === 0 ? "warm-up" : `round ${round} of ${rounds}`}: ${name}, ${bodyBytes} bytes\n`,
          );
          const messagesPerSecond = await throughput(contestant, bodyBytes, messages * messagesFactor);
          if (round === 0) continue;
          const percentiles = await latency(contestant, bodyBytes, latencyMessages, rate);
          figures.push({ contestant: name, bodyBytes, messagesPerSecond, ...percentiles });
        }
      }
      if (round > 0) results.push(figures);
    }
    return results;
  } finally {
    for (const contestant of contestants) await contestant.close();
  }
}
