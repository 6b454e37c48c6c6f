// The receiving side's measurements: how many messages came, and how long each was on its way.
import { createHistogram } from "node:perf_hooks";

const NANOSECONDS_PER_MS = 1e6;

/** Writes the time of sending into a body. The clock is the host's monotonic one, the same in every process. */
export function stamp(body) {
  body.writeBigUInt64LE(process.hrtime.bigint(), 0);
  return body;
}

/** Counts messages and, where it is asked to, measures them by their stamps. */
export class Meter {
  #latencies = createHistogram();
  #missing = 0;
  #measures = false;
  #complete = () => {};

  /** Starts anew; resolves when `count` messages have come. Measuring costs more than a message does. */
  expect(count, measures) {
    this.#latencies = createHistogram();
    this.#missing = count;
    this.#measures = measures;
    return new Promise((resolve) => {
      this.#complete = resolve;
    });
  }

  /** A message has come through an engine, with its header. */
  receivedWith(header, body) {
    if (header.traceparent === undefined) throw new Error("the header is missing");
    this.received(body);
  }

  /** A message has come, and its whole body with it. */
  received(body) {
    if (this.#measures) {
      const sentAt = Buffer.from(body.buffer, body.byteOffset, body.byteLength).readBigUInt64LE(0);
      this.#latencies.record(Math.max(1, Number(process.hrtime.bigint() - sentAt)));
    } else if (body.byteLength === 0) throw new Error("the body is missing");
    this.#missing -= 1;
    if (this.#missing === 0) this.#complete();
  }

  /** Percentiles of the time from sending to handling, in milliseconds, since `expect`. */
  latencies() {
    const percentile = (p) => this.#latencies.percentile(p) / NANOSECONDS_PER_MS;
    return { p50: percentile(50), p99: percentile(99) };
  }
}
