import type { Delivery } from "./delivery.ts";
import type { DriverDelivery } from "./driver.ts";
import { BrokerError } from "./errors.ts";
import { shortLivedCopyOf } from "./internal/copies.ts";
import { frozen, type Message } from "./message.ts";
import type { Slot } from "./slot.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What a handler, or its absence, decided about a delivery. */
export type Decision =
  | { readonly kind: "ack" }
  | { readonly kind: "nack"; readonly delayMs: number | undefined; readonly reason: string }
  | { readonly kind: "reject"; readonly reason: string };

/** What a {@link RunningDelivery} asks of the subscription that runs it. */
export interface DeliveryOwner {
  /** Carries a decision out; resolves or rejects when the driver has answered. Called at most once a delivery. */
  decide(delivery: RunningDelivery, decision: Decision): Promise<void> | undefined;
  extend(delivery: RunningDelivery, ms: number): void;
}

const DONE: Promise<void> = Promise.resolve();
const ACK_DECISION: Decision = { kind: "ack" };

/** A delivery from the moment the driver hands it over: waiting, running, settled or stale. */
export class RunningDelivery implements Delivery {
  readonly source: DriverDelivery;
  readonly attempt: number;
  /** When the message failed first, as far as is known. */
  readonly firstFailureAt: number | undefined;
  /** Where it runs; `undefined` before and afterwards. */
  slot: Slot | undefined;
  /** Whether its handler has ended, or there is none to wait for. */
  handlerEnded = false;
  /** `open` until something was decided; `stale` when time decided. */
  state: "open" | "settled" | "stale" = "open";
  /** Whether the key of this message stays busy: it runs again in this process. */
  retriesHere = false;
  /** What becomes of its settling: known once the driver has answered. */
  answer: Promise<void> = DONE;
  readonly #owner: DeliveryOwner;
  #message: Message | undefined;
  #abort: AbortController | undefined;

  constructor(source: DriverDelivery, owner: DeliveryOwner, attempt: number, firstFailureAt: number | undefined) {
    this.source = source;
    this.#owner = owner;
    this.attempt = attempt;
    this.firstFailureAt = firstFailureAt;
  }

  get topic(): string {
    return this.source.topic;
  }

  get id(): string {
    return this.source.id;
  }

  get key(): string | undefined {
    return this.source.key;
  }

  get message(): Message {
    // Other subscriptions of this process may share header and bytes: nobody can change the one, and each has its own of the other.
    const { source } = this;
    this.#message ??= { header: frozen(source.header), body: source.ownBody?.() ?? shortLivedCopyOf(source.body) };
    return this.#message;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.state === "stale") this.#abort.abort(this.#stale());
    }
    return this.#abort.signal;
  }

  text(): string {
    try {
      return utf8.decode(this.#message?.body ?? this.source.body);
    } catch (cause) {
      throw new BrokerError("ERR_UNDECODABLE", `The body of message ${this.id} on ${this.topic} is not UTF-8.`, {
        topic: this.topic,
        cause,
      });
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: see Delivery
  json(): any {
    const text = this.text();
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new BrokerError("ERR_UNDECODABLE", `The body of message ${this.id} on ${this.topic} is not JSON.`, {
        topic: this.topic,
        cause,
      });
    }
  }

  ack(): Promise<void> {
    return this.#settle(ACK_DECISION);
  }

  nack(options: { delayMs?: number } = {}): Promise<void> {
    const { delayMs } = options;
    if (delayMs !== undefined && !(Number.isFinite(delayMs) && delayMs >= 0)) {
      return Promise.reject(new BrokerError("ERR_INVALID_OPTION", "delayMs is a number of milliseconds, 0 or more."));
    }
    return this.#settle({ kind: "nack", delayMs, reason: "nacked by the handler" });
  }

  reject(reason = "rejected by the handler"): Promise<void> {
    return this.#settle({ kind: "reject", reason: String(reason) });
  }

  extend(ms: number): void {
    if (!(Number.isFinite(ms) && ms > 0))
      throw new BrokerError("ERR_INVALID_OPTION", "extend takes a positive number of milliseconds.");
    if (this.state !== "open") throw this.#stale();
    this.#owner.extend(this, ms);
  }

  /** Time, or the end of the subscription, has decided: aborts the signal, and settling is an error from now on. */
  expire(reason: BrokerError): void {
    this.state = "stale";
    this.#abort?.abort(reason);
  }

  #settle(decision: Decision): Promise<void> {
    if (this.state === "stale") return Promise.reject(this.#stale());
    if (this.state === "open") {
      this.state = "settled";
      this.answer = this.#owner.decide(this, decision) ?? DONE;
    }
    return this.answer;
  }

  #stale(): BrokerError {
    return new BrokerError(
      "ERR_STALE_DELIVERY",
      `Message ${this.id} on ${this.topic} is no longer this handler's to settle: its time limit or its subscription has ended.`,
      {
        topic: this.topic,
      },
    );
  }
}
