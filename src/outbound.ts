import type { Driver } from "./driver.ts";
import { BrokerError, wrapError } from "./errors.ts";
import { type Deferred, deferred } from "./internal/deferred.ts";
import { Deque } from "./internal/deque.ts";
import type { Outgoing } from "./outgoing.ts";

/** The bounds of an {@link Outbound}. */
export interface OutboundLimits {
  readonly bufferMessages: number;
  readonly bufferBytes: number;
  readonly whenFull: "reject" | "wait";
}

/**
 * Everything on its way to the driver: publishes of one turn of the event loop go down as one batch; while the connection
 * is down they wait here, within bounds (D12).
 */
export class Outbound {
  readonly #driver: Driver;
  readonly #limits: OutboundLimits;
  /** While down: what waits within the bounds, and behind it what waits for room. */
  readonly #buffer = new Deque<Outgoing>();
  readonly #parked = new Deque<Outgoing>();
  #batch: Outgoing[] = [];
  #bufferedBytes = 0;
  #unanswered = 0;
  #scheduled = false;
  #down = false;
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
    this.#batch.push(outgoing);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#flush());
  }

  /** The connection is lost: hold back what comes. */
  pause(): void {
    this.#down = true;
    for (const outgoing of this.#batch.splice(0)) this.#hold(outgoing);
  }

  /** The connection is back. */
  resume(): void {
    this.#down = false;
    const held = [...this.#buffer.drain(), ...this.#parked.drain()].filter((outgoing) => !outgoing.answered);
    this.#bufferedBytes = 0;
    if (held.length > 0) this.#driver.publish(held);
  }

  /** Fails what is still held back. */
  close(): void {
    const held = [...this.#batch.splice(0), ...this.#buffer.drain(), ...this.#parked.drain()];
    for (const outgoing of held) {
      outgoing.fail(
        new BrokerError(
          "ERR_NOT_CONNECTED",
          `The broker was closed before the message to ${outgoing.topic} could be sent.`,
          { topic: outgoing.topic },
        ),
      );
    }
  }

  /** Resolves when every publish is answered. */
  settled(): Promise<void> {
    if (this.#unanswered === 0) return Promise.resolve();
    this.#idle ??= deferred();
    return this.#idle.promise;
  }

  #flush(): void {
    this.#scheduled = false;
    const batch = this.#batch;
    if (batch.length === 0) return;
    this.#batch = [];
    try {
      this.#driver.publish(batch);
    } catch (error) {
      const wrapped = wrapError(error, "ERR_DRIVER", "Publishing failed", { driver: this.#driver.name });
      for (const outgoing of batch) outgoing.fail(wrapped);
    }
  }

  #hold(outgoing: Outgoing): void {
    const { bufferMessages, bufferBytes, whenFull } = this.#limits;
    if (this.#buffer.size < bufferMessages && this.#bufferedBytes + outgoing.bytes <= bufferBytes) {
      this.#buffer.push(outgoing);
      this.#bufferedBytes += outgoing.bytes;
    } else if (whenFull === "wait") this.#parked.push(outgoing);
    else {
      const held = `${this.#buffer.size} of ${bufferMessages} messages and ${this.#bufferedBytes} of ${bufferBytes} bytes`;
      outgoing.fail(
        new BrokerError("ERR_BACKLOG_FULL", `The connection is down and the buffer is full: ${held} wait.`, {
          topic: outgoing.topic,
        }),
      );
    }
  }

  readonly #answered = (): void => {
    this.#unanswered -= 1;
    if (this.#unanswered > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  };
}
