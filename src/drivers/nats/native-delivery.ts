import type { Msg } from "@nats-io/transport-node";
import { NANOS_PER_MS } from "./jetstream.ts";

/** What JetStream says of a delivery, in the subject that acks it. */
export interface DeliveryInfo {
  readonly stream: string;
  readonly consumer: string;
  /** How often the message was delivered to the consumer, this time included. */
  readonly delivered: number;
  /** The message's sequence number in its stream. */
  readonly sequence: number;
  /** When the stream took the message, in milliseconds since the epoch on the server's clock. */
  readonly storedAt: number;
}

/** Reads the ack subject: `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<delivered>.<sequence>.<number>.<time>.…`. */
export function deliveryInfo(message: Msg): DeliveryInfo | undefined {
  const tokens = message.reply?.split(".") ?? [];
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK" || tokens.length < 9) return undefined;
  const [stream = "", consumer = "", delivered, sequence, , time] = tokens.slice(tokens.length === 9 ? 2 : 4);
  const storedAt = Number(time) / NANOS_PER_MS;
  return { stream, consumer, delivered: Number(delivered), sequence: Number(sequence), storedAt };
}

/** Told to a delivery's ack subject: it takes longer; the time after which it is delivered again begins anew. */
export const WORKING = "+WPI";

/** Told to a delivery's ack subject: deliver it again, after so many milliseconds. */
export function nak(delayMs: number): string {
  return delayMs <= 0 ? "-NAK" : `-NAK {"delay": ${Math.ceil(delayMs * NANOS_PER_MS)}}`;
}
