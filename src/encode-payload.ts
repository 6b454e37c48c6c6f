import type { Codec } from "./codec.ts";
import { BrokerError, describeError } from "./errors.ts";

/**
 * Encodes a payload.
 * @throws BrokerError `ERR_INVALID_PAYLOAD` when the codec refuses it
 */
export function encodePayload(codec: Codec, payload: unknown, topic: string): string | Uint8Array {
  try {
    return codec.encode(payload);
  } catch (cause) {
    const message = `The payload for ${topic} cannot be encoded as ${codec.contentType}: ${describeError(cause)}.`;
    throw new BrokerError("ERR_INVALID_PAYLOAD", message, { topic, cause });
  }
}
