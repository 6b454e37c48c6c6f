import type { Msg } from "@nats-io/transport-node";

/** A message as the client makes it: it knows its bytes, which its published type does not say. */
type Received = Msg & { size?(): number };

/**
 * The bytes that stand before the body of a received message, as Latin-1: where it has native headers, their block.
 *
 * The client leaves a message where it was received, headers and body side by side (`MsgImpl` of @nats-io/nats-core 3), and
 * would make objects of the headers that cost as much as all the rest of a delivery. Should another version of it keep
 * them elsewhere, this is something else, or `undefined`: whoever asks looks whether it is a block of headers.
 * @param body the message's `data`: the client makes it anew each time
 * @param addressBytes of its subject, and of its reply subject where it has one
 */
export function headerBlock(message: Received, body: Uint8Array, addressBytes: number): string | undefined {
  const bytes = (message.size?.() ?? 0) - addressBytes - body.length;
  if (bytes < 0 || bytes > body.byteOffset) return undefined;
  return Buffer.from(body.buffer, body.byteOffset - bytes, bytes).toString("latin1");
}
