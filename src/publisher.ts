import type { PublishOptions } from "./broker-options.ts";
import type { Codec } from "./codec.ts";
import { encodePayload } from "./encode-payload.ts";
import type { MessageInput } from "./message.ts";
import type { Receipt } from "./receipt.ts";

/** Options of {@link Publisher.publish}. */
export interface PublisherPublishOptions extends PublishOptions {
  /** Headers; `Content-Type` is set by the codec unless it is among them. */
  header?: Readonly<Record<string, string>>;
}

/** Publishes values to one topic, encoded by one codec. */
export class Publisher {
  readonly topic: string;
  readonly #codec: Codec;
  readonly #publish: (topic: string, message: MessageInput, options: PublishOptions) => Promise<Receipt>;

  constructor(
    topic: string,
    codec: Codec,
    publish: (topic: string, message: MessageInput, options: PublishOptions) => Promise<Receipt>,
  ) {
    this.topic = topic;
    this.#codec = codec;
    this.#publish = publish;
  }

  /**
   * Encodes and publishes a value. Waits as `broker.publish` does.
   * @throws BrokerError `ERR_INVALID_PAYLOAD` when the codec refuses the value; otherwise as `broker.publish`.
   */
  async publish(payload: unknown, options: PublisherPublishOptions = {}): Promise<Receipt> {
    const { header, ...rest } = options;
    const body = encodePayload(this.#codec, payload, this.topic);
    return this.#publish(this.topic, { header: { "Content-Type": this.#codec.contentType, ...header }, body }, rest);
  }
}
