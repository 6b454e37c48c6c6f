// What every contestant is asked to do.
import { setTimeout as pause } from "node:timers/promises";
import { stamp } from "./meter.mjs";

/** Sizes of bodies, in bytes. */
export const BODY_BYTES = [100, 1024];

/** How long a run may take before its messages count as lost, in milliseconds. */
const LOST_AFTER_MS = 60_000;

/** Messages of the first, short run, which says how many a run of the wanted length takes. */
const TRIAL = 2_000;

/**
 * Messages a second, from the first send until all are sent, handled and acknowledged, in a run of `ms` milliseconds; the
 * processor time of both processes for each, in microseconds; and the most memory that both had, in bytes.
 */
export async function throughput(contestant, bodyBytes, ms) {
  const { perSecond, cpuMicros, count, peakBytes } = await longEnough(
    (messages) => run(contestant, bodyBytes, messages),
    ms,
  );
  return { messagesPerSecond: perSecond, cpuMicrosPerMessage: cpuMicros / count, peakBytes };
}

/**
 * Runs with ever more until a run takes `ms` milliseconds, or at least half. Resolves with what that run resolved with, of
 * which `tookMs` is how long it took, how many there were and how many that is in a second.
 */
export async function longEnough(run, ms) {
  let count = TRIAL;
  for (;;) {
    const result = await run(count);
    const perSecond = (count * 1_000) / result.tookMs;
    if (result.tookMs >= ms / 2) return { ...result, count, perSecond };
    count = Math.ceil(Math.max(count * 2, (perSecond * ms) / 1_000));
  }
}

async function run(contestant, bodyBytes, count) {
  const { arrived } = await contestant.expect(count, false);
  const body = Buffer.alloc(bodyBytes, 1);
  const before = await contestant.usage();
  const startedAt = performance.now();
  await inTime(Promise.all([arrived, contestant.sendAll?.(body, count) ?? sendAll(contestant, body, count)]));
  const tookMs = performance.now() - startedAt;
  const after = await contestant.usage();
  return { tookMs, cpuMicros: after.cpuMicros - before.cpuMicros, peakBytes: after.peakBytes };
}

/** Sends with so many under way at once: each of so many senders waits for its message's acknowledgement. */
async function sendAll(contestant, body, count) {
  let left = count;
  const sender = async () => {
    while (left > 0) {
      left -= 1;
      await contestant.send(body);
    }
  };
  await Promise.all(Array.from({ length: Math.min(contestant.inFlight, count) }, sender));
}

/** Percentiles of the time from sending to handling, at `rate` messages a second. */
export async function latency(contestant, bodyBytes, count, rate) {
  const { arrived } = await contestant.expect(count, true);
  const sends = [];
  const startedAt = performance.now();
  for (let n = 0; n < count; n += 1) {
    const waitMs = startedAt + (n * 1_000) / rate - performance.now();
    if (waitMs > 0) await pause(waitMs);
    sends.push(contestant.send(stamp(Buffer.alloc(bodyBytes))));
  }
  await inTime(Promise.all([arrived, ...sends]));
  return contestant.latencies();
}

/** As the promise; rejects where it takes so long that messages must have been lost. */
async function inTime(promise) {
  const waiting = new AbortController();
  const late = pause(LOST_AFTER_MS, undefined, { signal: waiting.signal }).then(() => {
    throw new Error(`messages are missing after ${LOST_AFTER_MS} ms`);
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    waiting.abort();
    // The pause says that it was given up.
    late.catch(() => {});
  }
}
