import type { Msg } from "@nats-io/transport-node";
import type { DriverContext, SubscribeRequest } from "../../driver.ts";
import { Deque } from "../../internal/deque.ts";
import type { CoreWire } from "./core-wire.ts";

/** How many messages, and bytes of them, wait in the process for a slow handler; what comes then is dropped. */
const BACKLOG_MESSAGES = 65_536;
const BACKLOG_BYTES = 64 * 1024 * 1024;

/** What a subscription on core NATS has received: the server sends as fast as it can, and keeps nothing. */
export class CoreSubscription {
  readonly #request: SubscribeRequest;
  readonly #wire: CoreWire;
  readonly #context: DriverContext;
  readonly #backlog = new Deque<Msg>();
  #bytes = 0;
  #unsettled = 0;
  #stopped = false;
  #counter = 0;

  constructor(request: SubscribeRequest, wire: CoreWire, context: DriverContext) {
    this.#request = request;
    this.#wire = wire;
    this.#context = context;
  }

  /** Takes a message: hands it on, or keeps it until there is room. */
  take(message: Msg): void {
    if (this.#unsettled < this.#request.prefetch && this.#backlog.size === 0) return this.#deliver(message);
    if (this.#stopped || this.#backlog.size >= BACKLOG_MESSAGES || this.#bytes >= BACKLOG_BYTES)
      return this.#giveUp(message, this.#stopped ? "its subscription ended" : "its handlers were too slow");
    this.#backlog.push(message);
    this.#bytes += message.data.byteLength;
  }

  /** What waits is given up: core NATS takes nothing back. */
  stop(): void {
    this.#stopped = true;
    for (const message of this.#backlog.drain()) this.#giveUp(message, "its subscription ended");
    this.#bytes = 0;
  }

  #deliver(message: Msg): void {
    if (this.#stopped) return this.#giveUp(message, "its subscription ended");
    const topic = this.#wire.topic(message.subject, this.#request.pattern);
    if (topic === undefined) return;
    const { id, key, header, body, broken } = this.#wire.decode(message);
    this.#unsettled += 1;
    this.#request.deliver({
      topic,
      id: id ?? this.#ownId(),
      key,
      header,
      body,
      attempt: 1,
      firstFailureAt: undefined,
      ...(broken === undefined ? {} : { broken }),
      settle: () => this.#settled(),
    });
  }

  #settled(): void {
    this.#unsettled -= 1;
    this.#goOn();
  }

  #goOn(): void {
    while (!this.#stopped && this.#unsettled < this.#request.prefetch) {
      const next = this.#backlog.shift();
      if (next === undefined) return;
      this.#bytes -= next.data.byteLength;
      this.#deliver(next);
    }
  }

  #giveUp(message: Msg, reason: string): void {
    const topic = this.#wire.topic(message.subject, this.#request.pattern);
    if (topic === undefined) return;
    const id = this.#wire.decode(message).id ?? this.#ownId();
    this.#context.onGiveUp({ topic, id, queue: this.#request.queue, reason });
  }

  /** The id of a message that was published without one. */
  #ownId(): string {
    this.#counter += 1;
    return `${this.#request.id}-${this.#counter}`;
  }
}
