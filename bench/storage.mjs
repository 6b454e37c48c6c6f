// Storage: how fast publishes are stored, beside what the store itself does with the same bodies in the same groups.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { createBroker } from "tidings";
import { QUIET } from "./quiet.mjs";
import { rowsOf } from "./rows.mjs";
import { BODY_BYTES, longEnough, trialOf } from "./workload.mjs";

/** Publishes that are under way at once, and records of a group. */
const IN_FLIGHT = 64;

/** Bytes of a record's key, as the broker's have. */
const KEY_BYTES = 9;

/** Bytes that a message takes up in the backlog beside its body, at most. */
const RECORD_BYTES = 1_024;

/** How many steps storage takes. */
export function storageSteps({ rounds }) {
  return (rounds + 1) * BODY_BYTES.length;
}

/** The rows of storage: messages a second that are stored, and stored and handled, beside what the store appends alone. */
export async function measureStorage({ rounds, ms }, steps) {
  const figures = [];
  // Round 0 warms up and is not counted.
  for (let round = 0; round <= rounds; round += 1) {
    const ofRound = [];
    for (const bodyBytes of BODY_BYTES) {
      steps.begin(`storage: ${round === 0 ? "warm-up" : `round ${round} of ${rounds}`}: ${bodyBytes} bytes`);
      for (const [contestant, run] of Object.entries(RUNS)) {
        const { perSecond } = await longEnough(once(run, bodyBytes), ms, trialOf(IN_FLIGHT, bodyBytes));
        ofRound.push({ contestant, bodyBytes, throughput: perSecond });
      }
    }
    if (round > 0) figures.push(ofRound);
  }
  const others = [{ name: "classic-level", peer: false }];
  return [...rowsOf("storage", figures, "stored", others), ...rowsOf("storage", figures, "stored-and-handled", others)];
}

function once(run, bodyBytes) {
  return async (count) => ({ tookMs: await run(bodyBytes, count) });
}

const RUNS = {
  stored: (bodyBytes, count) => publishing(bodyBytes, count, false),
  "stored-and-handled": (bodyBytes, count) => publishing(bodyBytes, count, true),
  "classic-level": appending,
};

/** Resolves with the milliseconds that it took. What comes while a group is written is the next, so that groups have that size. */
async function publishing(bodyBytes, count, withMember) {
  const folder = mkdtempSync(join(tmpdir(), "tidings-bench-storage-"));
  const backlogBytes = (count + 1) * (bodyBytes + RECORD_BYTES);
  const options = { storage: folder, backlogMessages: count + 1, backlogBytes, logger: QUIET };
  const broker = createBroker("http://127.0.0.1:0", options);
  try {
    await broker.connect();
    let handled = 0;
    let done = () => {};
    const all = new Promise((resolve) => {
      done = resolve;
    });
    const handle = () => {
      handled += 1;
      if (handled === count) done();
    };
    if (withMember) await broker.subscribe("bench", handle, { queue: "bench", concurrency: IN_FLIGHT });
    else await broker.createQueue("bench", "bench");
    let left = count;
    const sender = async () => {
      for (; left > 0; ) {
        left -= 1;
        await broker.publish("bench", { body: Buffer.alloc(bodyBytes) });
      }
    };
    const startedAt = performance.now();
    await Promise.all([withMember && all, ...Array.from({ length: Math.min(IN_FLIGHT, count) }, sender)]);
    const tookMs = performance.now() - startedAt;
    await broker.queues.remove("bench", "bench");
    return tookMs;
  } finally {
    await broker.disconnect();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Resolves with the milliseconds that it took: one record a message, synced in groups of the same size, with the options that the broker uses. */
async function appending(bodyBytes, count) {
  const folder = mkdtempSync(join(tmpdir(), "tidings-bench-store-"));
  const database = new ClassicLevel(folder, { keyEncoding: "buffer", valueEncoding: "buffer", compression: false });
  try {
    await database.open();
    const startedAt = performance.now();
    for (let first = 0; first < count; first += IN_FLIGHT) {
      const group = database.batch();
      for (let n = first; n < Math.min(count, first + IN_FLIGHT); n += 1) {
        const key = Buffer.alloc(KEY_BYTES);
        key.writeUInt32BE(n, 1);
        group.put(key, Buffer.alloc(bodyBytes));
      }
      await group.write({ sync: true });
    }
    return performance.now() - startedAt;
  } finally {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
