import type { Msg, MsgHdrs } from "@nats-io/transport-node";
import type { DeadLetterOrigin, Header, Publication } from "../../driver.ts";
import { readDeadLetterOrigin } from "../../internal/dead-letter-origin.ts";
import { EMPTY_HEADER } from "../../message.ts";
import { headerBlock } from "./header-block.ts";

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

const NOTHING: NativeMessage = Object.freeze({
  id: undefined,
  key: undefined,
  header: EMPTY_HEADER,
  origin: undefined,
});

/**
 * The native headers of one message, to be sent: all that the client does with the headers of a publish is to encode them
 * (`ProtocolHandler.publish` of @nats-io/nats-core 3). Its own class looks through all names for each that is added, and keeps
 * lists of values by name.
 */
class WrittenHeaders {
  readonly #block: string;

  constructor(block: string) {
    this.#block = block;
  }

  encode(): Uint8Array {
    // All is ASCII; and small buffers share memory, as those of the client's encoder do not.
    return Buffer.from(this.#block, "latin1");
  }

  toString(): string {
    return this.#block;
  }
}

/** Writes the native headers of a message; `publishId` is by which JetStream knows the publish. */
export function writeHeaders(message: Content, publishId?: string): MsgHdrs {
  let block = `NATS/1.0\r\n${NATIVE_HEADERS.id}: ${encodeTag(message.id)}\r\n`;
  if (message.key !== undefined) block += `${NATIVE_HEADERS.key}: ${encodeTag(message.key)}\r\n`;
  const header = headerJson(message.header);
  if (header !== undefined) block += `${NATIVE_HEADERS.header}: ${header}\r\n`;
  if (message.origin !== undefined) block += `${NATIVE_HEADERS.origin}: ${asciiJson(message.origin)}\r\n`;
  if (publishId !== undefined) block += `${NATIVE_HEADERS.publish}: ${publishId}\r\n`;
  return new WrittenHeaders(`${block}\r\n`) as unknown as MsgHdrs;
}

/** What of the server's `max_payload` is kept for native headers beside the message's own header, in bytes. */
export const NATIVE_BYTES: number = 2 * 1024;

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
    return unreadable(error);
  }
}

function unreadable(error: unknown): NativeMessage {
  return { ...NOTHING, broken: `its native headers cannot be read: ${(error as Error).message}` };
}

/** A block of headers as {@link writeHeaders} writes it, and only that. */
const WRITTEN_BLOCK = new RegExp(
  `^NATS/1\\.0\r\n${line(NATIVE_HEADERS.id)}(?:${line(NATIVE_HEADERS.key)})?(?:${line(NATIVE_HEADERS.header)})?` +
    `(?:${line(NATIVE_HEADERS.origin)})?(?:${line(NATIVE_HEADERS.publish)})?\r\n$`,
);

function line(name: string): string {
  return `${name}: ([ -~]*)\r\n`;
}

/**
 * Reads the native headers of a message that was received, as {@link decodeHeader} does. What {@link writeHeaders} wrote
 * is read without the client.
 * @param body the message's `data`
 * @param addressBytes of its subject, and of its reply subject where it has one
 */
export function decodeReceived(message: Msg, body: Uint8Array, addressBytes: number): NativeMessage {
  const written = WRITTEN_BLOCK.exec(headerBlock(message, body, addressBytes) ?? "");
  if (written === null) return decodeHeader(message);
  const [, id, key, header, origin] = written;
  try {
    // As the client reads them.
    return read(id?.trim(), key?.trim(), header?.trim(), origin?.trim());
  } catch (error) {
    return unreadable(error);
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
  return read(id, key, header, origin);
}

/** What the values of native headers say. */
function read(
  id: string | undefined,
  key: string | undefined,
  header: string | undefined,
  origin: string | undefined,
): NativeMessage {
  return {
    id: id ? decodeTag(id) : undefined,
    key: key ? decodeTag(key) : undefined,
    header: header ? strings(JSON.parse(header)) : EMPTY_HEADER,
    origin: origin ? readDeadLetterOrigin(origin) : undefined,
  };
}

/** What stands in JSON as it is: printable ASCII without quotes and backslashes. */
const PLAIN_TEXT = /^[ !#-[\]-~]*$/;

/** {@link asciiJson} of a header, in half the time; `undefined` of an empty one. */
function headerJson(header: Header): string | undefined {
  let json = "";
  for (const name in header) json += `${json === "" ? "{" : ","}${quoted(name)}:${quoted(header[name] as string)}`;
  return json === "" ? undefined : `${json}}`;
}

function quoted(text: string): string {
  return PLAIN_TEXT.test(text) ? `"${text}"` : asciiJson(text);
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
  for (const name of Object.keys(value)) {
    const text: unknown = (value as Record<string, unknown>)[name];
    if (typeof text !== "string") throw new Error(`${JSON.stringify(name)} is not a string`);
    header[name] = text;
  }
  return header;
}
