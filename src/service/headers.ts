import { GO_MICRO_HEADERS } from "../codecs/go-micro-headers.ts";
import { DEAD_LETTER_HEADERS } from "../dead-letter.ts";
import type { Header } from "../message.ts";

/** What belongs to one message, and is not passed on to the next. */
const OWN = new Set<string>([...Object.values(GO_MICRO_HEADERS), ...Object.values(DEAD_LETTER_HEADERS)]);

/** The header as a handler sees it: with the id under its newer name, where only the older one is there. */
export function receivedHeader(header: Header): Header {
  const old = header[GO_MICRO_HEADERS.oldId];
  if (old === undefined || header[GO_MICRO_HEADERS.id] !== undefined) return header;
  return Object.freeze(Object.assign(Object.create(null), header, { [GO_MICRO_HEADERS.id]: old }));
}

/** The incoming metadata that goes out again with what a handler publishes. */
export function passedOn(header: Header): Record<string, string> {
  const metadata: Record<string, string> = Object.create(null);
  for (const name of Object.keys(header)) if (!OWN.has(name)) metadata[name] = header[name] as string;
  return metadata;
}
