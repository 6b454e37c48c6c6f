import { BrokerError } from "./errors.ts";
import { copyOf } from "./internal/copies.ts";
import { LARGE_COPY_BYTES, takeLarge } from "./internal/large-copies.ts";

/** Header names and values: strings, without a prototype, so that `__proto__` is a name like any other. Frozen once a handler sees it. */
export type Header = Readonly<Record<string, string>>;

/** A message as a handler sees it. */
export interface Message {
  readonly header: Header;
  readonly body: Uint8Array;
}

/** A message as it is given to `publish`. A string body is sent as UTF-8; no body is an empty one. */
export interface MessageInput {
  header?: Readonly<Record<string, string>>;
  body?: string | Uint8Array;
}

/** The default of `maxMessageBytes`: 1 MiB of header names, header values and body. */
export const DEFAULT_MAX_MESSAGE_BYTES: number = 1024 * 1024;

/** A string of fewer characters takes less than {@link LARGE_COPY_BYTES}: each is at most 3 bytes of UTF-8. */
const LEAST_LARGE_CHARACTERS = LARGE_COPY_BYTES / 3;

/** The one header without names. */
export const EMPTY_HEADER: Header = Object.freeze(Object.create(null));

/** A header that nobody can change any more. */
export function frozen(header: Header): Header {
  return header === EMPTY_HEADER ? header : Object.freeze(header);
}

/** A header, and how many bytes its names and values have. */
export interface MeasuredHeader {
  readonly header: Header;
  readonly bytes: number;
}

const MEASURED_EMPTY_HEADER: MeasuredHeader = { header: EMPTY_HEADER, bytes: 0 };

/**
 * Copies a header map, checking that it holds only strings that every broker can carry.
 * @throws BrokerError `ERR_INVALID_MESSAGE`
 */
export function copyHeader(header: unknown, topic?: string): MeasuredHeader {
  if (header === undefined || header === EMPTY_HEADER) return MEASURED_EMPTY_HEADER;
  if (typeof header !== "object" || header === null || Array.isArray(header))
    throw invalid("header is not an object of strings", topic);
  const copy: Record<string, string> = Object.create(null);
  let bytes = 0;
  for (const name of Object.keys(header)) {
    const value: unknown = (header as Record<string, unknown>)[name];
    if (name === "") throw invalid("a header name is empty", topic);
    if (typeof value !== "string")
      throw invalid(
        `header ${JSON.stringify(name)} is not a string but ${value === null ? "null" : typeof value}`,
        topic,
      );
    if (!name.isWellFormed() || !value.isWellFormed())
      throw invalid(`header ${JSON.stringify(name)} is not well-formed Unicode`, topic);
    copy[name] = value;
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  return { header: copy, bytes };
}

/**
 * The bytes of a body, copied: the caller may change its buffer as soon as `publish` was called.
 * @throws BrokerError `ERR_INVALID_MESSAGE`
 */
export function copyBody(body: unknown, topic?: string): Uint8Array {
  if (body === undefined) return new Uint8Array(0);
  // Small ones share pieces of 8 KiB, Node's or ours: memory of its own for each would cost more than all the rest of a publish.
  if (typeof body === "string") return body.length < LEAST_LARGE_CHARACTERS ? Buffer.from(body, "utf8") : bytesOf(body);
  if (body instanceof Uint8Array) return body.length < LARGE_COPY_BYTES ? copyOf(body) : largeCopyOf(body);
  throw invalid(
    `body is neither a string nor a Uint8Array but ${body === null ? "null" : typeof body}; use broker.publisher(topic) to encode values`,
    topic,
  );
}

function bytesOf(text: string): Uint8Array {
  const size = Buffer.byteLength(text);
  if (size < LARGE_COPY_BYTES) return Buffer.from(text, "utf8");
  const bytes = takeLarge(size);
  bytes.write(text);
  return bytes;
}

function largeCopyOf(body: Uint8Array): Uint8Array {
  const copy = takeLarge(body.length);
  copy.set(body);
  return copy;
}

/** What a message counts against `maxMessageBytes`: header names, header values and body. */
export function messageBytes(header: Header, body: Uint8Array): number {
  let bytes = body.length;
  if (header === EMPTY_HEADER) return bytes;
  for (const name in header) bytes += Buffer.byteLength(name) + Buffer.byteLength(header[name] as string);
  return bytes;
}

/** The longest id or key, in bytes of UTF-8. */
export const MAX_TAG_BYTES = 256;

/** Whether a value may be an id or key: a well-formed string of 1 to 256 bytes. */
export function isTag(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.isWellFormed() && Buffer.byteLength(value) <= MAX_TAG_BYTES;
}

/**
 * Checks an id or key, as `isTag` does.
 * @throws BrokerError `ERR_INVALID_MESSAGE`
 */
export function checkTag(what: "id" | "key", value: unknown, topic?: string): asserts value is string {
  if (!isTag(value)) throw invalid(`${what} is not a string of 1 to ${MAX_TAG_BYTES} bytes`, topic);
}

function invalid(problem: string, topic: string | undefined): BrokerError {
  return new BrokerError("ERR_INVALID_MESSAGE", `The message cannot be sent: ${problem}.`, { topic });
}
