// What every contestant is asked to do.
import { setTimeout as pause } from "node:timers/promises";
import { stamp } from "./meter.mjs";

/** Sizes of bodies, in bytes. */
export const BODY_BYTES = [100, 1024];

/** Messages of the first, short run, which says how many a run of the wanted length takes. */
const TRIAL = 2_000;

/** Messages a second, from the first send until all are sent, handled and acknowledged, in a run of `ms` milliseconds. */
export function throughput(contestant, bodyBytes, ms) {
  return perSecond((count) => run(contestant, bodyBytes, count), ms);
}

/** What `run`, which resolves with the milliseconds that it took for so many, does in a second, in a run of `ms` milliseconds. */
export async function perSecond(run, ms) {
  let count = TRIAL;
  for (;;) {
    const tookMs = await run(count);
    const rate = (count * 1_000) / tookMs;
    if (tookMs >= ms / 2) return rate;
    count = Math.ceil(Math.max(count * 2, (rate * ms) / 1_000));
  }
}

async function run(contestant, bodyBytes, count) {
  const { arrived } = await contestant.expect(count, false);
  const body = Buffer.alloc(bodyBytes, 1);
  const startedAt = performance.now();
  await Promise.all([arrived, contestant.sendAll?.(body, count) ?? sendAll(contestant, body, count)]);
  return performance.now() - startedAt;
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
  await Promise.all([arrived, ...sends]);
  return contestant.latencies();
}
