import { DEAD_LETTER_HEADERS } from "../dead-letter.ts";
import type { Header } from "../message.ts";

/**
 * The headers that go-micro's client sets and its server reads. `Micro-Id` is the spelling of versions before 4.10.
 * Source: go-micro's `client/rpc_client.go` and `util/metadata`.
 */
export const SERVICE_HEADERS = {
  contentType: "Content-Type",
  topic: "Micro-Topic",
  id: "Micro-ID",
  oldId: "Micro-Id",
} as const;

/** What belongs to one message, and is not passed on to the next. */
const OWN = new Set<string>([...Object.values(SERVICE_HEADERS), ...Object.values(DEAD_LETTER_HEADERS)]);

/** The header as a handler sees it: with the id under both spellings' modern one. */
export function receivedHeader(header: Header): Header {
  const old = header[SERVICE_HEADERS.oldId];
  if (old === undefined || header[SERVICE_HEADERS.id] !== undefined) return header;
  return Object.freeze(Object.assign(Object.create(null), header, { [SERVICE_HEADERS.id]: old }));
}

/** The incoming metadata that goes out again with what a handler publishes. */
export function passedOn(header: Header): Record<string, string> {
  const metadata: Record<string, string> = Object.create(null);
  for (const name of Object.keys(header)) if (!OWN.has(name)) metadata[name] = header[name] as string;
  return metadata;
}
