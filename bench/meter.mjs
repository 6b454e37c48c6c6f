// The receiving side's measurements: how many messages came, and how long each was on its way.

const NANOSECONDS_PER_MS = 1e6;

/** Writes the time of sending into a body. The clock is the host's monotonic one, the same in every process. */
export function stamp(body) {
  body.writeBigUInt64LE(process.hrtime.bigint(), 0);
  return body;
}

/** Counts messages and, where it is asked to, measures them by their stamps. */
export class Meter {
  #latenciesMs = [];
  #measures = false;

  /** Messages that have come since `begin`. */
  handled = 0;

  /** Starts anew. Measuring costs more than a message does. */
  begin(measures) {
    this.#latenciesMs = [];
    this.#measures = measures;
    this.handled = 0;
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
      this.#latenciesMs.push(Number(process.hrtime.bigint() - sentAt) / NANOSECONDS_PER_MS);
    } else if (body.byteLength === 0) throw new Error("the body is missing");
    this.handled += 1;
  }

  /** How long each message since `begin` was on its way from sending to handling, in milliseconds. */
  latencies() {
    return this.#latenciesMs;
  }
}
