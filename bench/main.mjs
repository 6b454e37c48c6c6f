// The bench: each contestant in turn, several rounds, on bodies of several sizes; every one in two processes of its own.
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { readArguments, USAGE } from "./arguments.mjs";
import { Child } from "./child.mjs";
import { BASELINES, CONTESTANTS } from "./contestants.mjs";
import { summarize, table } from "./report.mjs";
import { measureStorage, storageLines } from "./storage.mjs";
import { BODY_BYTES } from "./workload.mjs";

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
    const { figures, skipped } = await measure(options);
    const storage = await measureStorage(options);
    const report = {
      node: process.version,
      cores: availableParallelism(),
      rounds,
      rate,
      inFlight: Object.fromEntries(Object.entries(CONTESTANTS).map(([name, { inFlight }]) => [name, inFlight])),
      baselines: BASELINES,
      skipped,
      results: summarize(figures, BASELINES),
      storage,
    };
    console.log(json ? JSON.stringify(report) : [table(report), "", ...storageLines(storage)].join("\n"));
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The figures of each round: one of each contestant and size; and who did not take part, with the reason. */
async function measure({ rounds, ms, rate, latencyMessages, only }) {
  const senders = new Map();
  const skipped = {};
  try {
    for (const name of Object.keys(CONTESTANTS)) {
      if (only !== undefined && !only.includes(name) && !BASELINES.includes(name)) continue;
      const sender = new Child("sender.mjs", name);
      senders.set(name, sender);
      try {
        await sender.answer("ready");
      } catch (error) {
        skipped[name] = error.message;
        process.stderr.write(`${name} does not take part: ${error.message}\n`);
        senders.delete(name);
        await sender.stop();
      }
    }
    const figures = [];
    // Round 0 warms up and is not counted.
    for (let round = 0; round <= rounds; round += 1) {
      const ofRound = [];
      for (const bodyBytes of BODY_BYTES) {
        for (const [contestant, sender] of senders) {
          process.stderr.write(
            `${round === 0 ? "warm-up" : `round ${round} of ${rounds}`}: ${contestant}, ${bodyBytes} bytes\n`,
          );
          const messagesPerSecond = await sender.ask("throughput", { bodyBytes, ms });
          if (round === 0) continue;
          const percentiles = await sender.ask("latency", { bodyBytes, count: latencyMessages, rate });
          ofRound.push({ contestant, bodyBytes, messagesPerSecond, ...percentiles });
        }
      }
      if (round > 0) figures.push(ofRound);
    }
    return { figures, skipped };
  } finally {
    for (const sender of senders.values()) await sender.stop();
  }
}
