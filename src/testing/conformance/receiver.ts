import type { Broker } from "../../broker.ts";
import type { SubscribeOptions } from "../../broker-options.ts";
import type { Delivery } from "../../delivery.ts";
import type { Header } from "../../message.ts";
import type { Subscriber } from "../../subscriber.ts";
import type { SequenceLog } from "./sequence-log.ts";

/** A handler start, as a receiver keeps it. */
export interface Seen {
  readonly topic: string;
  readonly id: string;
  readonly key: string | undefined;
  readonly attempt: number;
  readonly header: Header;
  readonly body: Uint8Array;
  readonly text: string;
  /** When the handler started, in milliseconds on the process's monotonic clock. */
  readonly at: number;
  readonly delivery: Delivery;
}

/** What a receiver does beyond keeping what it sees. */
export interface ReceiveOptions extends SubscribeOptions {
  /** Runs as the handler, after the start was kept. */
  handle?: (delivery: Delivery, seen: Seen) => unknown;
  /** Where numbered messages are logged, before the handler runs. */
  log?: SequenceLog;
  /** The receiver's name in that log. */
  as?: string;
}

/** A subscription that keeps what its handler saw. */
export class Receiver {
  /** Every handler start, in order. */
  readonly seen: Seen[] = [];
  /** Handlers running now. */
  running = 0;
  /** The most handlers that ever ran at once. */
  peak = 0;
  /** Handlers that have returned. */
  returned = 0;
  #subscriber: Subscriber | undefined;
  readonly #options: ReceiveOptions;

  private constructor(options: ReceiveOptions) {
    this.#options = options;
  }

  /** Subscribes. */
  static async open(broker: Broker, pattern: string, options: ReceiveOptions = {}): Promise<Receiver> {
    const { handle: _handle, log: _log, as: _as, ...subscribeOptions } = options;
    const receiver = new Receiver(options);
    receiver.#subscriber = await broker.subscribe(pattern, (delivery) => receiver.#handle(delivery), subscribeOptions);
    return receiver;
  }

  /** The subscription. */
  get subscriber(): Subscriber {
    if (this.#subscriber === undefined) throw new Error("the subscription is not open yet");
    return this.#subscriber;
  }

  /** The bodies seen, as text, in order. */
  get texts(): string[] {
    return this.seen.map((seen) => seen.text);
  }

  /** Ends the subscription. */
  unsubscribe(): Promise<void> {
    return this.subscriber.unsubscribe();
  }

  async #handle(delivery: Delivery): Promise<void> {
    const { header, body } = delivery.message;
    const text = Buffer.from(body).toString("utf8");
    const { topic, id, key, attempt } = delivery;
    const seen: Seen = { topic, id, key, attempt, header, body, text, at: performance.now(), delivery };
    this.seen.push(seen);
    if (this.#options.log !== undefined) this.#options.log.received(this.#options.as ?? "receiver", text);
    this.running += 1;
    this.peak = Math.max(this.peak, this.running);
    try {
      await this.#options.handle?.(delivery, seen);
    } finally {
      this.running -= 1;
    }
    this.returned += 1;
  }
}
