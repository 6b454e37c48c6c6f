import type { Msg, MsgHdrs } from "@nats-io/transport-node";
import type { Publication } from "../../driver.ts";
import { bytesBeyond, decodeReceived, type NativeMessage, writeHeaders } from "./native-header.ts";
import { type Names, queueName } from "./subjects.ts";

/** A message as core NATS carries it. */
interface CoreMessage {
  readonly payload: Uint8Array | string;
  readonly headers: MsgHdrs | undefined;
  /** What it takes of the server's `max_payload`, in bytes, where that is more than there is room for; else `undefined`. */
  readonly bytesBeyond: number | undefined;
}

/** What a message of core NATS says. */
export interface ReadCoreMessage extends Pick<NativeMessage, "id" | "key" | "header"> {
  readonly body: Uint8Array;
  /** Why it cannot be read. */
  readonly broken?: string | undefined;
}

/** How messages, topics and queues stand on core NATS: Tidings' own way, or go-micro's. */
export interface CoreWire {
  /** The subject of a topic, or with `wildcards` of a pattern. @throws BrokerError `ERR_INVALID_TOPIC` */
  subject(pattern: string, wildcards: boolean): string;
  /** The topic of a subject; `undefined` where a subscription to the pattern does not want it after all. */
  topic(subject: string, pattern: string): string | undefined;
  /** The queue group of a queue. */
  group(pattern: string, queue: string): string;
  /** Writes a message; `room` is the server's `max_payload`, in bytes. */
  encode(publication: Publication, room: number): CoreMessage;
  /** Reads a message that came with this subject; what cannot be read is said, not thrown. */
  decode(message: Msg, subject: string): ReadCoreMessage;
}

/** Between Tidings peers: bodies as they are, the rest in native headers. */
export function tidingsCoreWire(names: Names): CoreWire {
  return {
    subject: (pattern, wildcards) => names.core(pattern, wildcards),
    topic: (subject) => names.parseCore(subject),
    // Prefixed with the pattern: two patterns with one queue name do not share.
    group: queueName,
    encode(publication, room) {
      const headers = writeHeaders(publication);
      return { payload: publication.body, headers, bytesBeyond: bytesBeyond(room, publication, headers) };
    },
    decode(message, subject) {
      const body = message.data;
      const { id, key, header, broken } = decodeReceived(message, body, subject.length);
      return { id, key, header, body, broken };
    },
  };
}
