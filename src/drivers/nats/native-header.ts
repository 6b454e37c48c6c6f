import type { Msg, MsgHdrs } from "@nats-io/transport-node";
import type { DeadLetterOrigin, Header, Publication } from "../../driver.ts";
import type { NatsClient } from "./client.ts";

/** Names of the native headers. NATS trims their values and garbles non-ASCII, so each value is ASCII without edges. */
export const NATIVE_HEADERS = {
  /** The message's id, percent-encoded. */
  id: "Tidings-Id",
  /** The message's key, percent-encoded. */
  key: "Tidings-Key",
  /** The message's header: JSON in ASCII, an object of strings. */
  header: "Tidings-Header",
  /** Of a dead letter: the subscription in which it failed, as JSON in ASCII. Never part of the message's header. */
  origin: "Tidings-Origin",
  /** By which JetStream knows the retry of one publish: unique to the publish, and not the message's id. */
  publish: "Nats-Msg-Id",
} as const;

/** What native headers say of a message. */
export interface NativeMessage {
  readonly id: string | undefined;
  readonly key: string | undefined;
  readonly header: Header;
  readonly origin: DeadLetterOrigin | undefined;
  /** Why the headers cannot be read. */
  readonly broken?: string;
}

type Content = Pick<Publication, "id" | "key" | "header" | "origin">;

const EMPTY: Header = Object.freeze(Object.create(null));
const NOTHING: NativeMessage = Object.freeze({ id: undefined, key: undefined, header: EMPTY, origin: undefined });

/** The native headers of a message. */
export function encodeHeader(client: NatsClient, message: Content, publishId?: string): MsgHdrs {
  const native = client.headers();
  native.append(NATIVE_HEADERS.id, encodeTag(message.id));
  if (message.key !== undefined) native.append(NATIVE_HEADERS.key, encodeTag(message.key));
  if (hasNames(message.header)) native.append(NATIVE_HEADERS.header, asciiJson(message.header));
  if (message.origin !== undefined) native.append(NATIVE_HEADERS.origin, asciiJson(message.origin));
  if (publishId !== undefined) native.append(NATIVE_HEADERS.publish, publishId);
  return native;
}

/** How many bytes the longest id, key, origin and publish id take, and the names of all native headers. */
const MOST_BESIDE_HEADER = 8 * 1024;
/** How many bytes a byte of a header can become: a control character is six in JSON, an empty value costs quotes and more. */
const MOST_OF_A_BYTE = 12;

/**
 * How many bytes a message takes of the server's `max_payload`, where that is more than `room`; `undefined` where it fits.
 * Few messages come near the limit: only they are measured.
 */
export function bytesBeyond(
  room: number,
  { body, bytes }: Pick<Publication, "body" | "bytes">,
  native: MsgHdrs,
): number | undefined {
  const inBody = body.byteLength;
  if (inBody + MOST_OF_A_BYTE * (bytes - inBody) + MOST_BESIDE_HEADER <= room) return undefined;
  const taken = inBody + nativeBytes(native);
  return taken > room ? taken : undefined;
}

/** What native headers take of the server's `max_payload`, in bytes. */
export function nativeBytes(native: MsgHdrs): number {
  return native.toString().length;
}

/**
 * Reads the native headers of a message. What cannot be read is said, not thrown: the client reads headers when they are
 * asked for, and throws at what it would not have written.
 */
export function decodeHeader(message: { readonly headers?: MsgHdrs | undefined }): NativeMessage {
  try {
    const native = message.headers;
    return native === undefined ? NOTHING : decode(native);
  } catch (error) {
    return { ...NOTHING, broken: `its native headers cannot be read: ${(error as Error).message}` };
  }
}

/** A message's native headers, where the client can read them. */
export function readableHeaders(message: Msg): MsgHdrs | undefined {
  try {
    return message.headers;
  } catch {
    // Not from the server, and not from Tidings: whoever asks here wants nothing of anybody else.
    return undefined;
  }
}

function decode(native: MsgHdrs): NativeMessage {
  let id: string | undefined;
  let key: string | undefined;
  let header: string | undefined;
  let origin: string | undefined;
  // One walk: the client's `get` makes lists of all names each time.
  for (const [name, values] of native) {
    if (name === NATIVE_HEADERS.id) id = values[0];
    else if (name === NATIVE_HEADERS.key) key = values[0];
    else if (name === NATIVE_HEADERS.header) header = values[0];
    else if (name === NATIVE_HEADERS.origin) origin = values[0];
  }
  return {
    id: id ? decodeTag(id) : undefined,
    key: key ? decodeTag(key) : undefined,
    header: header ? strings(JSON.parse(header)) : EMPTY,
    origin: origin ? (JSON.parse(origin) as DeadLetterOrigin) : undefined,
  };
}

/** JSON with every character beyond ASCII escaped. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Letters, digits and hyphens, as in the ids that Tidings makes, are what encoding leaves as they are. */
const PLAIN_TAG = /^[\w-]+$/;

function encodeTag(tag: string): string {
  return PLAIN_TAG.test(tag) ? tag : encodeURIComponent(tag);
}

function decodeTag(text: string): string {
  return text.includes("%") ? decodeURIComponent(text) : text;
}

function strings(value: unknown): Header {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not an object of strings");
  const header: Record<string, string> = Object.create(null);
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== "string") throw new Error(`${JSON.stringify(name)} is not a string`);
    header[name] = text;
  }
  return Object.freeze(header);
}

function hasNames(header: Header): boolean {
  for (const _name in header) return true;
  return false;
}
