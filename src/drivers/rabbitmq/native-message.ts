import { createHash, randomBytes } from "node:crypto";
import type { Message, Options } from "amqplib";
import type { DeadLetterOrigin, Header } from "../../driver.ts";
import { readDeadLetterOrigin } from "../../internal/dead-letter-origin.ts";
import { topicOfRoutingKey } from "./names.ts";

/** The driver's own entries in the header table of a native message. */
export const FIELD = {
  /** Names this copy: what is returned, given back or come again is told apart by it. */
  copy: "tidings-copy",
  /** The message's id where it is too long for the property `message_id`. */
  id: "tidings-id",
  key: "tidings-key",
  /** The topic of a copy that was sent to a queue by the queue's name. */
  topic: "tidings-topic",
  attempt: "tidings-attempt",
  firstFailure: "tidings-first-failure",
  origin: "tidings-origin",
  /** Header entries that cannot stand in the table themselves: JSON, an array of pairs. */
  header: "tidings-header",
  /** How many bytes in front of the body hold the header, as JSON, where it is too long for the table. */
  prefixBytes: "tidings-prefix-bytes",
  delay: "tidings-delay",
  /** What is left to wait when the message comes back from the ladder. */
  restMs: "tidings-rest",
} as const;

/** Names that stand in the table as they are. */
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$/;

/** Names that mean something to RabbitMQ, its plugins or this driver. */
const RESERVED_NAME =
  /^(?:tidings-|x-(?:death|first-death|last-death|delivery-count|acquired-count|stream-|received-from|shovelled|delay|opt-|match)|b?cc$)/i;

/** More than this of header names and values does not go into the table: the client's buffer for it ends at 64 KiB. */
const MAX_TABLE_BYTES = 24 * 1024;

/** The longest text of a property. */
const MAX_SHORT_BYTES = 255;

/** What a native message is made from. */
export interface Content {
  readonly topic: string;
  readonly id: string;
  readonly key: string | undefined;
  readonly header: Header;
  readonly body: Uint8Array;
  readonly origin: DeadLetterOrigin | undefined;
  /** Default 1. */
  readonly attempt?: number | undefined;
  readonly firstFailureAt?: number | undefined;
}

/** A message as it came from a queue. */
export interface Received extends Content {
  readonly attempt: number;
  readonly firstFailureAt: number | undefined;
  readonly copy: string;
  /** When the copy was published, in milliseconds since the epoch; 0 where nobody knows. */
  readonly publishedAt: number;
  /** How often the copy was handed over before and came back without being settled. */
  readonly returns: number;
  readonly restMs: number;
  /** Why the message cannot be read. */
  readonly broken: string | undefined;
}

/** A message as the client takes it. */
export interface NativeMessage {
  /** Names it. */
  readonly copy: string;
  /** Its place among the copies of this process, of which {@link numberOfCopy} tells. */
  readonly number: number;
  readonly content: Buffer;
  /** The header table. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** Everything else: {@link headers} are set in it when the message is written. */
  readonly options: Options.Publish;
}

/** The driver's own message to itself, as JSON. */
export function encodeOwn(value: unknown, options: NativeMessage["options"] = {}): NativeMessage {
  const number = nextNumber();
  const copy = copyOf(number);
  return {
    copy,
    number,
    content: Buffer.from(JSON.stringify(value)),
    headers: { [FIELD.copy]: copy },
    options: { persistent: true, mandatory: true, ...options },
  };
}

const run = randomBytes(9).toString("base64url");
let copies = 0;

/**
 * Writes a message.
 * @param named whether it goes to a queue by name, so that the routing key does not tell the topic.
 */
export function encode(content: Content, named: boolean, extra: Readonly<Record<string, number>> = {}): NativeMessage {
  const number = nextNumber();
  const copy = copyOf(number);
  const { id, key, origin, attempt = 1, firstFailureAt } = content;
  const headers: Record<string, unknown> = { ...extra, [FIELD.copy]: copy };
  const shortId = Buffer.byteLength(id) <= MAX_SHORT_BYTES;
  if (!shortId) headers[FIELD.id] = id;
  if (key !== undefined) headers[FIELD.key] = key;
  if (named) headers[FIELD.topic] = content.topic;
  if (attempt > 1) headers[FIELD.attempt] = attempt;
  if (firstFailureAt !== undefined) headers[FIELD.firstFailure] = String(firstFailureAt);
  if (origin !== undefined) headers[FIELD.origin] = JSON.stringify(origin);
  const options: Options.Publish = { persistent: true, mandatory: true, timestamp: Math.floor(Date.now() / 1_000) };
  if (shortId) options.messageId = id;
  return { copy, number, content: writeHeader(content, headers), headers, options };
}

/** Reads a message. One that cannot be read is `broken`, with everything that could be. */
export function decode(message: Message): Received {
  const { properties, fields } = message;
  const table: Record<string, unknown> = properties.headers ?? {};
  const id = text(table[FIELD.id]) ?? text(properties.messageId) ?? foreignId(message);
  const header: Record<string, string> = Object.create(null);
  let body: Uint8Array = message.content;
  let origin: DeadLetterOrigin | undefined;
  let broken: string | undefined;
  try {
    for (const name of Object.keys(table))
      if (PLAIN_NAME.test(name) && !RESERVED_NAME.test(name)) header[name] = textOf(table[name]);
    const odd = table[FIELD.header];
    if (odd !== undefined) readPairs(String(odd), header);
    const prefix = table[FIELD.prefixBytes];
    if (prefix !== undefined) {
      const bytes = Number(prefix);
      if (!(bytes > 0 && bytes <= body.byteLength)) throw new Error("the header in front of the body is cut off");
      readPairs(message.content.toString("utf8", 0, bytes), header);
      body = message.content.subarray(bytes);
    }
    if (table[FIELD.origin] !== undefined) origin = readDeadLetterOrigin(String(table[FIELD.origin]));
  } catch (error) {
    broken = `the native message cannot be read: ${(error as Error).message}`;
  }
  const attempt = Number(table[FIELD.attempt] ?? 1);
  return {
    topic: text(table[FIELD.topic]) ?? topicOfRoutingKey(fields.routingKey),
    id,
    key: text(table[FIELD.key]),
    header,
    body,
    origin,
    attempt: Number.isSafeInteger(attempt) && attempt > 0 ? attempt : 1,
    firstFailureAt: timeOf(Number(table[FIELD.firstFailure] ?? Number.NaN)),
    // Another program may give all its messages one id.
    copy: text(table[FIELD.copy]) ?? `${id} ${foreignId(message)}`,
    publishedAt: timeOf(Number(properties.timestamp) * 1_000) ?? 0,
    // What was never handed over before has brought the number along, from a queue that somebody moved it from.
    returns: fields.redelivered ? Number(table["x-delivery-count"] ?? 0) : 0,
    restMs: Number(table[FIELD.restMs] ?? 0),
    broken,
  };
}

/** The number of a copy that this process wrote; -1 of any other. */
export function numberOfCopy(copy: unknown): number {
  return typeof copy === "string" && copy.startsWith(`${run}.`) ? Number(copy.slice(run.length + 1)) : -1;
}

function nextNumber(): number {
  copies += 1;
  return copies;
}

function copyOf(number: number): string {
  return `${run}.${number}`;
}

function writeHeader({ header, body }: Content, headers: Record<string, unknown>): Buffer {
  const content = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const odd: [string, string][] = [];
  let bytes = 0;
  for (const name in header) bytes += 8 + Buffer.byteLength(name) + Buffer.byteLength(header[name] as string);
  if (bytes > MAX_TABLE_BYTES) {
    const prefix = Buffer.from(JSON.stringify(Object.entries(header)));
    headers[FIELD.prefixBytes] = prefix.byteLength;
    return Buffer.concat([prefix, content]);
  }
  for (const name in header) {
    const value = header[name] as string;
    if (PLAIN_NAME.test(name) && !RESERVED_NAME.test(name)) headers[name] = value;
    else odd.push([name, value]);
  }
  if (odd.length > 0) headers[FIELD.header] = JSON.stringify(odd);
  return content;
}

function readPairs(json: string, header: Record<string, string>): void {
  const pairs: unknown = JSON.parse(json);
  if (!Array.isArray(pairs)) throw new Error("its header is not a list");
  for (const pair of pairs) {
    if (!Array.isArray(pair) || typeof pair[0] !== "string" || typeof pair[1] !== "string")
      throw new Error("its header is not a list of pairs of strings");
    header[pair[0]] = pair[1];
  }
}

/** A message of a program other than Tidings may have no id: its content names it, so that it is the same each time it comes. */
function foreignId(message: Message): string {
  const hash = createHash("sha256").update(message.fields.routingKey).update("\n").update(message.content);
  return `foreign-${hash.digest("hex").slice(0, 32)}`;
}

/** A time, in milliseconds since the epoch; `undefined` for what cannot be one. */
function timeOf(ms: number): number | undefined {
  return Number.isNaN(new Date(ms).getTime()) ? undefined : ms;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The header table of another program may hold more than strings. */
function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
