import { markAsUntransferable } from "node:worker_threads";
import type { Msg } from "@nats-io/transport-node";
import type { DriverContext, DriverDelivery, Outcome, SubscribeRequest } from "../../driver.ts";
import { shortLivedCopyOf } from "../../internal/copies.ts";
import { type Deferred, deferred } from "../../internal/deferred.ts";
import { Deque } from "../../internal/deque.ts";
import { isPattern } from "../../topics.ts";
import type { CoreWire, ReadCoreMessage } from "./core-wire.ts";

/**
 * From this size on a handler gets the bytes that came, in bytes: nobody reads them again, for there is no second attempt. Of
 * smaller ones, that somebody keeps, each would hold the 64 KiB that it came in.
 */
const LARGE_BYTES = 16 * 1024;

/** How many messages, and bytes of them, wait in the process for a slow handler; what comes then is dropped. */
const BACKLOG_MESSAGES = 65_536;
const BACKLOG_BYTES = 64 * 1024 * 1024;

/** Why a message is given up whose subscription ends before its handler does. */
const ENDED = "its subscription ended";

/** What a subscription on core NATS has received: the server sends as fast as it can, and keeps nothing. */
export class CoreSubscription {
  readonly #request: SubscribeRequest;
  readonly #wire: CoreWire;
  readonly #context: DriverContext;
  /** Without wildcards, all messages have the same subject: the client reads it anew of each. */
  readonly #subject: string | undefined;
  readonly #backlog = new Deque<Msg>();
  #bytes = 0;
  #unsettled = 0;
  #stopped = false;
  #goesOn = false;
  /** Who waits for the last message of the backlog to be handed on. */
  #emptied: Deferred<void> | undefined;
  #counter = 0;

  constructor(request: SubscribeRequest, wire: CoreWire, context: DriverContext) {
    const { pattern } = request;
    this.#request = request;
    this.#wire = wire;
    this.#context = context;
    this.#subject = isPattern(pattern) ? undefined : wire.subject(pattern, true);
  }

  /** Takes a message: hands it on, or keeps it until there is room. */
  take(message: Msg): void {
    if (this.#unsettled < this.#request.prefetch && this.#backlog.size === 0) return this.#deliver(message);
    if (this.#stopped || this.#backlog.size >= BACKLOG_MESSAGES || this.#bytes >= BACKLOG_BYTES)
      return this.#giveUp(message, this.#stopped ? ENDED : "its handlers were too slow");
    this.#backlog.push(message);
    this.#bytes += message.data.length;
  }

  /** Resolves when nothing waits any more. */
  emptied(): Promise<void> {
    this.#emptied ??= deferred();
    if (this.#backlog.size === 0) this.#emptied.resolve();
    return this.#emptied.promise;
  }

  /** What waits is given up: core NATS takes nothing back. */
  stop(): void {
    this.#stopped = true;
    for (const message of this.#backlog.drain()) this.#giveUp(message, ENDED);
    this.#bytes = 0;
    this.#emptied?.resolve();
  }

  /** A delivery is settled: there is room for another. One that is released is given up. */
  settled({ topic, id }: CoreDelivery, outcome: Outcome): void {
    this.#unsettled -= 1;
    if (outcome.kind === "release") this.#context.onGiveUp({ topic, id, queue: this.#request.queue, reason: ENDED });
    if (this.#backlog.size > 0) this.#goOn();
  }

  #deliver(message: Msg): void {
    if (this.#stopped) return this.#giveUp(message, ENDED);
    const subject = this.#subject ?? message.subject;
    const topic = this.#wire.topic(subject, this.#request.pattern);
    if (topic === undefined) return;
    const read = this.#wire.decode(message, subject);
    this.#unsettled += 1;
    this.#request.deliver(new CoreDelivery(this, topic, read.id ?? this.#ownId(), read));
  }

  #goOn(): void {
    // What is handed on may be settled at once, and so come back here; the loop that runs already then goes on.
    if (this.#goesOn) return;
    this.#goesOn = true;
    try {
      while (!this.#stopped && this.#unsettled < this.#request.prefetch) {
        const next = this.#backlog.shift();
        if (next === undefined) break;
        this.#bytes -= next.data.length;
        this.#deliver(next);
      }
    } finally {
      this.#goesOn = false;
    }
    if (this.#backlog.size === 0) this.#emptied?.resolve();
  }

  #giveUp(message: Msg, reason: string): void {
    const { subject } = message;
    const topic = this.#wire.topic(subject, this.#request.pattern);
    if (topic === undefined) return;
    const id = this.#wire.decode(message, subject).id ?? this.#ownId();
    this.#context.onGiveUp({ topic, id, queue: this.#request.queue, reason });
  }

  /** The id of a message that was published without one. */
  #ownId(): string {
    this.#counter += 1;
    return `${this.#request.id}-${this.#counter}`;
  }
}

/** A message on its way through a handler. There is no second attempt, and nobody to tell what became of it. */
class CoreDelivery implements DriverDelivery {
  readonly topic: string;
  readonly id: string;
  readonly key: string | undefined;
  readonly header: DriverDelivery["header"];
  readonly body: Uint8Array;
  readonly attempt = 1;
  readonly firstFailureAt = undefined;
  declare readonly broken?: string;
  readonly #subscription: CoreSubscription;

  constructor(subscription: CoreSubscription, topic: string, id: string, read: ReadCoreMessage) {
    this.#subscription = subscription;
    this.topic = topic;
    this.id = id;
    this.key = read.key;
    this.header = read.header;
    this.body = read.body;
    if (read.broken !== undefined) this.broken = read.broken;
  }

  // What the client received is a part of a larger piece of memory, where others' bytes are, too: nobody may take it away.
  ownBody(): Uint8Array {
    const { buffer, byteOffset, byteLength } = this.body;
    if (byteLength < LARGE_BYTES) return shortLivedCopyOf(this.body);
    markAsUntransferable(buffer);
    return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
  }

  settle(outcome: Outcome): void {
    this.#subscription.settled(this, outcome);
  }
}
