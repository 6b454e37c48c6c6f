import { randomUUID } from "node:crypto";
import type { Broker } from "../broker.ts";
import type { PublishOptions } from "../broker-options.ts";
import { checkPublishOptions } from "../check-options.ts";
import type { Codec } from "../codec.ts";
import { GO_MICRO_HEADERS } from "../codecs/go-micro-headers.ts";
import { encodePayload } from "../encode-payload.ts";
import type { Receipt } from "../receipt.ts";
import { checkTopic } from "../topics.ts";
import { compose, type PublishContext, type PublishMiddleware } from "./middleware.ts";
import { checkPayload } from "./schema.ts";
import type { Topic } from "./topic.ts";

/** Options of {@link ServicePublisher.publish}. */
export interface ServicePublishOptions extends PublishOptions {
  /** Headers beside those that the service sets; where they name the same, these win. */
  header?: Readonly<Record<string, string>>;
}

/** Publishes payloads to one topic, as go-micro's client does: with `Content-Type`, `Micro-Topic` and `Micro-ID`. */
export class ServicePublisher<Input = unknown> {
  readonly topic: Topic<Input>;
  readonly #codec: Codec;
  readonly #broker: () => Broker;
  readonly #run: (context: PublishContext) => Promise<Receipt>;

  constructor(topic: Topic<Input>, codec: Codec, middleware: readonly PublishMiddleware[], broker: () => Broker) {
    checkTopic(topic.name);
    this.topic = topic;
    this.#codec = codec;
    this.#broker = broker;
    this.#run = compose(middleware, (context: PublishContext) => this.#send(context));
  }

  /**
   * Checks the payload with the topic's schema, encodes and publishes it; resolves with the receipt. What is sent is the
   * payload as given: subscribers apply the schema's transforms.
   * @throws BrokerError `ERR_INVALID_PAYLOAD` with the issues; otherwise as `broker.publish`
   */
  async publish(payload: Input, options: ServicePublishOptions = {}): Promise<Receipt> {
    const { header, ...rest } = options;
    checkPublishOptions(rest);
    const { id = randomUUID(), key, signal, mandatory = false } = rest;
    const { name, schema } = this.topic;
    if (schema !== undefined) await checkPayload(schema, payload, name);
    const set = {
      [GO_MICRO_HEADERS.contentType]: this.#codec.contentType,
      [GO_MICRO_HEADERS.topic]: name,
      [GO_MICRO_HEADERS.id]: id,
    };
    const context: PublishContext = {
      topic: name,
      payload,
      header: Object.assign(Object.create(null), set, header),
      id,
      key,
      signal,
      mandatory,
    };
    return this.#run(context);
  }

  #send(context: PublishContext): Promise<Receipt> {
    const { topic, payload, header, id, key, signal, mandatory } = context;
    const body = encodePayload(this.#codec, payload, topic);
    const options: PublishOptions = { id, mandatory };
    if (key !== undefined) options.key = key;
    if (signal !== undefined) options.signal = signal;
    return this.#broker().publish(topic, { header, body }, options);
  }
}
