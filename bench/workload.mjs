// What every contestant is asked to do.
import { setTimeout as pause } from "node:timers/promises";
import { stamp } from "./meter.mjs";

const MEBIBYTE = 1024 ** 2;

/** Sizes of bodies, in bytes. */
export const BODY_BYTES = [100, 1024, 65_536];

/** From this size on latency is measured at a tenth of the rate, with a tenth of the messages. */
export const LARGE_BYTES = 65_536;

/** Bytes of bodies that are under way at once, at most: a window is so much smaller where bodies are large. */
export const WINDOW_BYTES = 4 * MEBIBYTE;

/** How long a run may take before its messages count as lost, in milliseconds. */
const LOST_AFTER_MS = 60_000;

/** How long is waited before it is asked again what has come, in milliseconds. */
const ASK_AGAIN_MS = 1;

/** Messages of the first, short run, at most, and how many windows they are. */
const [TRIAL, TRIAL_WINDOWS] = [2_000, 4];

/** Publishes that are under way at once, where a contestant has so many under way with small bodies. */
export function windowOf(inFlight, bodyBytes) {
  return Math.max(1, Math.min(inFlight, Math.floor(WINDOW_BYTES / bodyBytes)));
}

/** Messages of the first, short run, which says how many a run of the wanted length takes. */
export function trialOf(inFlight, bodyBytes) {
  return Math.min(TRIAL, TRIAL_WINDOWS * windowOf(inFlight, bodyBytes));
}

/**
 * Messages a second, from the first send until all are sent, handled and acknowledged, in a run of `ms` milliseconds; the
 * processor time of all processes for each, in microseconds; and the most memory that they had, in bytes.
 */
export async function throughput(contestant, bodyBytes, ms, inFlight) {
  const window = windowOf(inFlight, bodyBytes);
  const once = (messages) => run(contestant, bodyBytes, messages, window);
  const { perSecond, cpuMicros, count, peakBytes } = await longEnough(once, ms, trialOf(inFlight, bodyBytes));
  return { messagesPerSecond: perSecond, cpuMicrosPerMessage: cpuMicros / count, peakBytes };
}

/**
 * Runs with ever more, from `trial` on, until a run takes `ms` milliseconds, or at least half. Resolves with what that run
 * resolved with, of which `tookMs` is how long it took, how many there were and how many that is in a second.
 */
export async function longEnough(run, ms, trial) {
  let count = trial;
  for (;;) {
    const result = await run(count);
    const perSecond = (count * 1_000) / result.tookMs;
    if (result.tookMs >= ms / 2) return { ...result, count, perSecond };
    count = Math.ceil(Math.max(count * 2, (perSecond * ms) / 1_000));
  }
}

async function run(contestant, bodyBytes, count, inFlight) {
  const body = Buffer.alloc(bodyBytes, 1);
  const sendIt = () => contestant.send(body);
  return measured(contestant, count, () =>
    contestant.sendAll === undefined ? sendAll(sendIt, count, inFlight) : contestant.sendAll(body, count, inFlight),
  );
}

/**
 * Measures what `work` does, until `count` messages have come: how long it took, the processor time, and the memory.
 * @throws {Error} where messages are missing for too long
 */
export async function measured(contestant, count, work) {
  await contestant.begin(false);
  const before = await contestant.usage();
  const startedAt = performance.now();
  await inTime(work().then(() => arrivalOf(contestant, count)));
  const tookMs = performance.now() - startedAt;
  const after = await contestant.usage();
  return { tookMs, cpuMicros: after.cpuMicros - before.cpuMicros, peakBytes: after.peakBytes };
}

/** Sends with so many under way at once: each of so many senders waits for its message's acknowledgement. */
export async function sendAll(send, count, inFlight) {
  let sent = 0;
  const sender = async () => {
    while (sent < count) {
      sent += 1;
      await send(sent - 1);
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, sender));
}

/** Resolves when so many messages have come. It asks only once all are sent, so that nothing is asked while they come. */
export async function arrivalOf(contestant, count) {
  while ((await contestant.handled()) < count) await pause(ASK_AGAIN_MS);
}

/** Percentiles of the time from sending to handling, at `rate` messages a second. */
export async function latency(contestant, bodyBytes, count, rate) {
  await contestant.begin(true);
  const sends = [];
  const startedAt = performance.now();
  for (let n = 0; n < count; n += 1) {
    const waitMs = startedAt + (n * 1_000) / rate - performance.now();
    if (waitMs > 0) await pause(waitMs);
    sends.push(contestant.send(stamp(Buffer.alloc(bodyBytes))));
  }
  await inTime(Promise.all(sends).then(() => arrivalOf(contestant, count)));
  return percentiles(await contestant.latencies());
}

/** The percentiles that are reported, of times in any order. */
export function percentiles(times) {
  const sorted = Float64Array.from(times).sort();
  const at = (share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999) };
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
