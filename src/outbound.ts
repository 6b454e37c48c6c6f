import type { Driver } from "./driver.ts";
import { BrokerError, wrapError } from "./errors.ts";
import { type Deferred, deferred } from "./internal/deferred.ts";
import type { Outgoing } from "./outgoing.ts";

const RESOLVED = Promise.resolve();

/** Messages of so many bytes are large. */
const LARGE_BYTES = 16 * 1024;

/**
 * A batch that has so many bytes of large messages gets no more of them: the rest of its turn waits until what this one set off in
 * turn has run. The copies that handlers get are gone by then, as are those that a client makes to send them. Small messages
 * stay together, however many they are: a batch may ask the server for an answer of its own.
 */
const BATCH_BYTES = 128 * 1024;

/** The bounds of an {@link Outbound}. */
export interface OutboundLimits {
  readonly bufferMessages: number;
  readonly bufferBytes: number;
  readonly whenFull: "reject" | "wait";
}

/**
 * Everything on its way to the driver: publishes of one turn of the event loop go down as one batch, but for one that comes
 * while nothing is on its way, where the driver sends at once; while the connection is down they wait here, within bounds (D12).
 */
export class Outbound {
  readonly #driver: Driver;
  readonly #limits: OutboundLimits;
  /** What waits for the connection, in order: within the bounds, or beyond them with `whenFull: "wait"`. */
  readonly #held = new Set<Outgoing>();
  #heldBytes = 0;
  #batch: Outgoing[] = [];
  /** Of the large messages in the batch. */
  #batchBytes = 0;
  #unanswered = 0;
  #scheduled = false;
  #down = false;
  #closed = false;
  #idle: Deferred<void> | undefined;

  constructor(driver: Driver, limits: OutboundLimits) {
    this.#driver = driver;
    this.#limits = limits;
  }

  send(outgoing: Outgoing): void {
    if (outgoing.answered) return;
    this.#unanswered += 1;
    outgoing.whenAnswered(this.#answered);
    if (this.#down) return this.#hold(outgoing);
    // What was abandoned is answered, but may still wait in the batch.
    if (this.#unanswered === 1 && this.#batch.length === 0 && this.#driver.sendsAtOnce === true)
      return this.#publish([outgoing]);
    this.#batch.push(outgoing);
    this.#batchBytes += largeBytes(outgoing);
    if (!this.#scheduled) this.#schedule();
  }

  /** The connection is lost: hold back what comes. */
  pause(): void {
    this.#down = true;
    for (const outgoing of this.#takeBatch()) this.#hold(outgoing);
  }

  /** The connection is back. Not called after `close`. */
  resume(): void {
    this.#down = false;
    this.#publish(this.#takeHeld());
  }

  /** Fails what is still held back, and what comes from now on: a handler that outlives the connection may still write a dead letter. */
  close(): void {
    this.#down = true;
    this.#closed = true;
    for (const outgoing of [...this.#takeBatch(), ...this.#takeHeld()]) outgoing.fail(closed(outgoing));
  }

  /** Resolves when every publish is answered. */
  settled(): Promise<void> {
    if (this.#unanswered === 0) return Promise.resolve();
    this.#idle ??= deferred();
    return this.#idle.promise;
  }

  #publish(batch: readonly Outgoing[]): void {
    if (batch.length === 0) return;
    try {
      this.#driver.publish(batch);
    } catch (error) {
      const wrapped = wrapError(error, "ERR_DRIVER", "Publishing failed", { driver: this.#driver.name });
      for (const outgoing of batch) outgoing.fail(wrapped);
    }
  }

  #hold(outgoing: Outgoing): void {
    if (this.#closed) return outgoing.fail(closed(outgoing));
    const { bufferMessages, bufferBytes, whenFull } = this.#limits;
    const fits = this.#held.size < bufferMessages && this.#heldBytes + outgoing.bytes <= bufferBytes;
    if (!fits && whenFull === "reject") {
      const held = `${this.#held.size} of ${bufferMessages} messages and ${this.#heldBytes} of ${bufferBytes} bytes`;
      const message = `The connection is down and the buffer is full: ${held} wait.`;
      outgoing.fail(new BrokerError("ERR_BACKLOG_FULL", message, { topic: outgoing.topic }));
      return;
    }
    this.#held.add(outgoing);
    this.#heldBytes += outgoing.bytes;
    // One that is aborted makes room at once.
    outgoing.whenAnswered(() => {
      if (this.#held.delete(outgoing)) this.#heldBytes -= outgoing.bytes;
    });
  }

  #takeHeld(): Outgoing[] {
    const held = [...this.#held];
    this.#held.clear();
    this.#heldBytes = 0;
    return held;
  }

  #schedule(): void {
    this.#scheduled = true;
    // As `queueMicrotask`, without the resource that Node makes for each call of that one.
    void RESOLVED.then(this.#flush);
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    this.#publish(this.#batchBytes >= BATCH_BYTES ? this.#takePart() : this.#takeBatch());
    if (this.#batch.length > 0 && !this.#scheduled) this.#schedule();
  };

  #takeBatch(): Outgoing[] {
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    return batch;
  }

  #takePart(): Outgoing[] {
    let count = 0;
    for (let bytes = 0; bytes < BATCH_BYTES && count < this.#batch.length; count += 1)
      bytes += largeBytes(this.#batch[count] as Outgoing);
    const part = this.#batch.splice(0, count);
    for (const outgoing of part) this.#batchBytes -= largeBytes(outgoing);
    return part;
  }

  readonly #answered = (): void => {
    this.#unanswered -= 1;
    if (this.#unanswered > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  };
}

function closed({ topic }: Outgoing): BrokerError {
  const message = `The broker was closed before the message to ${topic} could be sent.`;
  return new BrokerError("ERR_NOT_CONNECTED", message, { topic });
}

function largeBytes({ bytes }: Outgoing): number {
  return bytes >= LARGE_BYTES ? bytes : 0;
}
