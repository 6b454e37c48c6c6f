// What every contestant is asked to do.
import { setTimeout as pause } from "node:timers/promises";
import { stamp } from "./meter.mjs";

/** Publishes, or requests, that are under way at once. */
export const IN_FLIGHT = 64;

/** Sizes of bodies, in bytes. */
export const BODY_BYTES = [100, 1024];

/** Messages a second: from the first send until the last message is handled. */
export async function throughput(contestant, bodyBytes, count) {
  const { arrived } = await contestant.expect(count);
  let left = count;
  const sender = async () => {
    // A body of its own for each: a message keeps its bytes until it is handled.
    for (; left > 0; ) {
      left -= 1;
      await contestant.send(stamp(Buffer.alloc(bodyBytes)));
    }
  };
  const startedAt = performance.now();
  await Promise.all([arrived, ...Array.from({ length: Math.min(IN_FLIGHT, count) }, sender)]);
  return (count * 1_000) / (performance.now() - startedAt);
}

/** Percentiles of the time from sending to handling, at `rate` messages a second. */
export async function latency(contestant, bodyBytes, count, rate) {
  const { arrived } = await contestant.expect(count);
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
