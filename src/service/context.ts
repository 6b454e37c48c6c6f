import { GO_MICRO_HEADERS } from "../codecs/go-micro-headers.ts";
import type { Delivery } from "../delivery.ts";
import type { Header } from "../message.ts";
import type { Receipt } from "../receipt.ts";
import type { Codecs } from "./codecs.ts";
import { passedOn, receivedHeader } from "./headers.ts";
import type { SubscribeContext } from "./middleware.ts";
import type { ServicePublisher, ServicePublishOptions } from "./publisher.ts";
import { checkPayload } from "./schema.ts";
import type { Topic } from "./topic.ts";

/** What a handler of a service knows of the message beside its payload. */
export interface Context {
  /** The concrete topic. */
  readonly topic: string;
  /** The message's header; `Micro-ID` is there under this spelling also where an older go-micro sent `Micro-Id`. */
  readonly header: Header;
  /** The message's id, the same for every delivery of it. */
  readonly id: string;
  readonly key: string | undefined;
  /** Which handler start of this message this is, from 1. */
  readonly attempt: number;
  /** Aborted when the handler's time is up. */
  readonly signal: AbortSignal;
  /**
   * Publishes to another topic, passing the incoming metadata on: every header but those of the message itself. Headers
   * among the options win. Resolves and rejects as a publisher's `publish` does.
   */
  publish<Input>(topic: string | Topic<Input>, payload: Input, options?: ServicePublishOptions): Promise<Receipt>;
}

/** What makes a {@link MessageContext}, beside the message. */
export interface ContextHost {
  readonly codecs: Codecs;
  publisher(topic: string | Topic): ServicePublisher;
}

/** The one context of a handler start: for middleware, and at last for the handler. */
export class MessageContext implements Context, SubscribeContext {
  readonly queue: string | undefined;
  readonly subscription: string;
  readonly header: Header;
  readonly #delivery: Delivery;
  readonly #topic: Topic;
  readonly #host: ContextHost;
  #payload: Promise<unknown> | undefined;
  #signal: AbortSignal | undefined;

  constructor(delivery: Delivery, topic: Topic, queue: string | undefined, subscription: string, host: ContextHost) {
    this.#delivery = delivery;
    this.#topic = topic;
    this.#host = host;
    this.queue = queue;
    this.subscription = subscription;
    this.header = receivedHeader(delivery.message.header);
  }

  get topic(): string {
    return this.#delivery.topic;
  }

  get id(): string {
    return this.#delivery.id;
  }

  get key(): string | undefined {
    return this.#delivery.key;
  }

  get attempt(): number {
    return this.#delivery.attempt;
  }

  get body(): Uint8Array {
    return this.#delivery.message.body;
  }

  get signal(): AbortSignal {
    return this.#signal ?? this.#delivery.signal;
  }

  set signal(signal: AbortSignal) {
    this.#signal = signal;
  }

  payload(): Promise<unknown> {
    this.#payload ??= this.#read();
    return this.#payload;
  }

  async publish<Input>(
    topic: string | Topic<Input>,
    payload: Input,
    options: ServicePublishOptions = {},
  ): Promise<Receipt> {
    const header = Object.assign(passedOn(this.header), options.header);
    return this.#host.publisher(topic as string | Topic).publish(payload, { ...options, header });
  }

  async #read(): Promise<unknown> {
    const { schema } = this.#topic;
    const decoded = this.#host.codecs.decode(this.header[GO_MICRO_HEADERS.contentType], this.body, this.topic);
    return schema === undefined ? decoded : checkPayload(schema, decoded, this.topic);
  }
}
