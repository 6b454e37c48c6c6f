import type { Codec } from "../codec.ts";
import { bytes } from "../codecs/bytes.ts";
import { json } from "../codecs/json.ts";
import { text } from "../codecs/text.ts";
import { BrokerError, describeError } from "../errors.ts";

/** The codecs of a service, by content type. Content types are compared without parameters and without regard to case. */
export class Codecs {
  /** What is used where a publisher names none, and for messages without a content type. */
  readonly standard: Codec;
  readonly #byType = new Map<string, Codec>();

  constructor(standard: Codec | undefined, own: readonly Codec[]) {
    this.standard = standard ?? json;
    for (const codec of [json, text, bytes, this.standard, ...own])
      for (const type of [...(codec.accepts ?? []), codec.contentType]) this.#byType.set(typeOf(type), codec);
  }

  /**
   * Decodes a body by its content type.
   * @throws BrokerError `ERR_UNDECODABLE` for a body that is not what its content type says, and for an unknown one: its
   * meaning is never guessed
   */
  decode(contentType: string | undefined, body: Uint8Array, topic: string): unknown {
    const codec =
      contentType === undefined || contentType === "" ? this.standard : this.#byType.get(typeOf(contentType));
    if (codec === undefined) {
      const known = [...this.#byType.keys()].join(", ");
      const message = `No codec for the content type ${JSON.stringify(contentType)} of a message on ${topic}; this service has ${known}.`;
      throw new BrokerError("ERR_UNDECODABLE", message, { topic });
    }
    try {
      return codec.decode(body);
    } catch (cause) {
      const message = `A message on ${topic} is not ${codec.contentType}: ${describeError(cause)}.`;
      throw new BrokerError("ERR_UNDECODABLE", message, { topic, cause });
    }
  }
}

function typeOf(contentType: string): string {
  return (contentType.split(";", 1)[0] ?? "").trim().toLowerCase();
}
