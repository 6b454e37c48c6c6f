import type { MsgHdrs } from "@nats-io/transport-node";
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

/** The native headers of a message. */
export function encodeHeader(client: NatsClient, message: Content, publishId?: string): MsgHdrs {
  const native = client.headers();
  native.set(NATIVE_HEADERS.id, encodeURIComponent(message.id));
  if (message.key !== undefined) native.set(NATIVE_HEADERS.key, encodeURIComponent(message.key));
  if (hasNames(message.header)) native.set(NATIVE_HEADERS.header, asciiJson(message.header));
  if (message.origin !== undefined) native.set(NATIVE_HEADERS.origin, asciiJson(message.origin));
  if (publishId !== undefined) native.set(NATIVE_HEADERS.publish, publishId);
  return native;
}

/** What native headers take of the server's `max_payload`, in bytes. */
export function nativeBytes(native: MsgHdrs): number {
  return native.toString().length;
}

/** Reads the native headers of a message. What cannot be read is said, not thrown. */
export function decodeHeader(native: MsgHdrs | undefined): NativeMessage {
  const id = native?.get(NATIVE_HEADERS.id);
  const key = native?.get(NATIVE_HEADERS.key);
  const header = native?.get(NATIVE_HEADERS.header);
  const origin = native?.get(NATIVE_HEADERS.origin);
  try {
    return {
      id: id ? decodeURIComponent(id) : undefined,
      key: key ? decodeURIComponent(key) : undefined,
      header: header ? strings(JSON.parse(header)) : EMPTY,
      origin: origin ? (JSON.parse(origin) as DeadLetterOrigin) : undefined,
    };
  } catch (error) {
    const broken = `its native headers cannot be read: ${(error as Error).message}`;
    return { id: undefined, key: undefined, header: EMPTY, origin: undefined, broken };
  }
}

/** JSON with every character beyond ASCII escaped. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
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
