import { randomUUID } from "node:crypto";
import { writeEnvelope } from "../../../src/drivers/http/envelope.ts";
import { encodeText, WIRE_HEADERS } from "../../../src/drivers/http/wire.ts";
import type { RawRequest } from "./raw.ts";

/** What a hand-made message of a Tidings peer holds. */
export interface PeerMessage {
  readonly topic: string;
  readonly body?: string | Uint8Array;
  readonly header?: Readonly<Record<string, string>>;
  readonly id?: string;
  readonly key?: string;
  readonly attempt?: number;
  /** The name of this handing-over. */
  readonly delivery?: string;
  readonly acceptWithinMs?: number;
}

/** The request of a Tidings peer that hands a message over. */
export function peerPost(nodeId: string, message: PeerMessage): RawRequest {
  const headers: Record<string, string> = {
    "Content-Type": "application/json",
    [WIRE_HEADERS.id]: encodeText(message.id ?? randomUUID()),
    [WIRE_HEADERS.topic]: encodeText(message.topic),
    [WIRE_HEADERS.delivery]: message.delivery ?? randomUUID(),
    [WIRE_HEADERS.attempt]: String(message.attempt ?? 1),
  };
  if (message.key !== undefined) headers[WIRE_HEADERS.key] = encodeText(message.key);
  if (message.acceptWithinMs !== undefined) headers[WIRE_HEADERS.acceptWithin] = String(message.acceptWithinMs);
  return {
    path: `/?id=${encodeText(nodeId)}`,
    headers,
    body: writeEnvelope(message.header ?? {}, Buffer.from(message.body ?? "")),
  };
}

/** The request of a go-micro publisher, byte for byte as its version 6 writes it, but for `Host` and `Content-Length`. */
export function goPost(nodeId: string, topic: string, body: string, header: Record<string, string> = {}): RawRequest {
  return {
    path: `/?id=${encodeURIComponent(nodeId)}`,
    headers: {
      "User-Agent": "Go-http-client/1.1",
      "Content-Type": "application/json",
      "Accept-Encoding": "gzip",
    },
    body: writeEnvelope({ ...header, "Micro-Topic": topic }, Buffer.from(body)),
  };
}
