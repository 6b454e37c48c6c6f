/**
 * What a part of the storage holds: records of LevelDB, each with a checksum over key and value in front of its value, since
 * LevelDB checks those of its tables only on demand. By the first byte of the key:
 *
 * | key | value |
 * |---|---|
 * | `m`, id (8 bytes) | a message: the length of its description (4 bytes), that description, the body |
 * | `n`, id, lane id | what became of the message for a lane, as JSON, where the message itself does not say it |
 * | `q`, lane id | a queue, as JSON: when it had a member last |
 * | `a`, name of a part | that part was taken over into this one as its last writer left it, and is only to be removed |
 * | `s` | how many messages there are, and all their ids exclusive-ored: what is missing is noticed; and who wrote last |
 *
 * A message's description is UTF-8: numbers with spaces between (time of publishing in milliseconds since the epoch, bytes,
 * lengths of topic, id and key (-1 without one), number of lanes, lengths of the lanes' ids, lengths of each header's name
 * and value), a line feed, all those strings without anything between, and the origin of a dead letter as JSON. Lengths are
 * in UTF-16 code units.
 */
import { crc32 } from "node:zlib";
import type { DeadLetterOrigin } from "../../driver.ts";
import type { MessageContent } from "../message.ts";

/** What a record is, by the first byte of its key. */
export const KIND = { message: 0x6d, note: 0x6e, queue: 0x71, adopted: 0x61, state: 0x73 } as const;

/** The key of the one record about the part itself. */
export const STATE_KEY: Uint8Array = Buffer.from([KIND.state]);

const CHECKSUM_BYTES = 4;
const HEAD_BYTES = CHECKSUM_BYTES + 4;
const ID_BYTES = 8;
const TWO_TO_32 = 2 ** 32;

/** Stands for the length of a key where there is none. */
const NONE = -1;

/** A message as it is stored. */
export interface StoredMessage extends MessageContent {
  /** Milliseconds since the epoch, by the system's time, as everything that is stored. */
  readonly publishedAt: number;
  /** The ids of the lanes that it is for. */
  readonly lanes: readonly string[];
}

/** What became of a message for a lane. */
export interface Note {
  readonly done?: boolean;
  readonly attempt?: number;
  readonly firstFailureAt?: number;
  readonly dueAt?: number;
  /** Whether a handler of the process may have been at work on it. */
  readonly inHand?: boolean;
}

/** What is known of a part as a whole. */
export interface PartState {
  readonly messages: number;
  readonly bytes: number;
  /** The lower and upper halves of all ids, exclusive-ored. */
  readonly low: number;
  readonly high: number;
  /** Who wrote into it last: drawn anew by every instance that makes the part its own. None where an older version wrote. */
  readonly writer?: string | undefined;
}

/** That another part was taken over into this one. */
export interface Adoption {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The other part's writer by then: where it has another one by now, there may be more in it. */
  readonly writer?: string | undefined;
}

/** The key of a message. Ids are whole numbers from 1. */
export function messageKey(id: number, key: Buffer = Buffer.allocUnsafe(1 + ID_BYTES)): Buffer {
  key[0] = KIND.message;
  key.writeUInt32BE(Math.floor(id / TWO_TO_32), 1);
  key.writeUInt32BE(id % TWO_TO_32, 5);
  return key;
}

/** The key of what became of a message for a lane. */
export function noteKey(id: number, laneId: string): Buffer {
  const key = Buffer.concat([messageKey(id), Buffer.from(laneId)]);
  key[0] = KIND.note;
  return key;
}

/** The key of a queue's or an adopted part's record. */
export function nameKey(kind: typeof KIND.queue | typeof KIND.adopted, name: string): Buffer {
  return Buffer.concat([Buffer.from([kind]), Buffer.from(name)]);
}

/** The id in the key of a message or a note. */
export function idOfKey(key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return view.getUint32(1) * TWO_TO_32 + view.getUint32(5);
}

/** The name at the end of a note's, a queue's or an adopted part's key. */
export function nameOfKey(key: Uint8Array): string {
  return Buffer.from(key.subarray(key[0] === KIND.note ? 1 + ID_BYTES : 1)).toString("utf8");
}

/** The value of a message's record. `publishedAt`: by the system's time. */
export function encodeMessage(
  key: Uint8Array,
  message: Omit<StoredMessage, "lanes">,
  lanes: readonly { readonly id: string }[],
  publishedAt: number = message.publishedAt,
): Buffer {
  const { topic, id, key: orderKey, header, body, bytes, origin } = message;
  // Not JSON: this is done for every message, and escaping costs more than all the rest.
  let lengths = `${publishedAt} ${bytes} ${topic.length} ${id.length} ${orderKey?.length ?? NONE} ${lanes.length}`;
  let strings = topic + id + (orderKey ?? "");
  for (const lane of lanes) {
    lengths += ` ${lane.id.length}`;
    strings += lane.id;
  }
  for (const name in header) {
    const text = header[name] as string;
    lengths += ` ${name.length} ${text.length}`;
    strings += name + text;
  }
  const text = `${lengths}\n${strings}${origin === undefined ? "" : JSON.stringify(origin)}`;
  const textBytes = Buffer.byteLength(text);
  const value = Buffer.allocUnsafe(HEAD_BYTES + textBytes + body.byteLength);
  value.writeUInt32BE(textBytes, CHECKSUM_BYTES);
  value.write(text, HEAD_BYTES);
  value.set(body, HEAD_BYTES + textBytes);
  return seal(key, value);
}

/** Reads a message's record that {@link isSound}; `undefined` where it is of another make. */
export function decodeMessage(value: Uint8Array): StoredMessage | undefined {
  const whole = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (whole.byteLength < HEAD_BYTES) return undefined;
  const textEnd = HEAD_BYTES + whole.readUInt32BE(CHECKSUM_BYTES);
  const text = whole.toString("utf8", HEAD_BYTES, textEnd);
  const [publishedAt, bytes, topicLength, idLength, keyLength, laneCount, ...rest] = text
    .slice(0, text.indexOf("\n"))
    .split(" ")
    .map(Number);
  if (publishedAt === undefined || bytes === undefined || laneCount === undefined) return undefined;
  let at = text.indexOf("\n") + 1;
  const next = (length = 0) => {
    at += length;
    return text.slice(at - length, at);
  };
  const topic = next(topicLength);
  const id = next(idLength);
  const key = keyLength === NONE ? undefined : next(keyLength);
  const lanes = rest.splice(0, laneCount).map((length) => next(length));
  const header: Record<string, string> = Object.create(null);
  for (let pair = 0; pair < rest.length; pair += 2) {
    const name = next(rest[pair]);
    header[name] = next(rest[pair + 1]);
  }
  return {
    topic,
    id,
    key,
    header,
    // A copy: the rest of what was read with it does not stay in memory.
    body: Uint8Array.prototype.slice.call(whole, textEnd),
    bytes,
    publishedAt,
    lanes,
    origin: at === text.length ? undefined : readOrigin(text.slice(at)),
  };
}

function readOrigin(text: string): DeadLetterOrigin | undefined {
  const origin = readJson(text) as DeadLetterOrigin | undefined;
  if (origin === undefined) return undefined;
  return { pattern: origin.pattern, queue: origin.queue, subscriptionId: origin.subscriptionId };
}

/** The value of a record of JSON. */
export function encodeJson(key: Uint8Array, content: Note | PartState | Adoption): Buffer {
  const text = JSON.stringify(content);
  const value = Buffer.allocUnsafe(CHECKSUM_BYTES + Buffer.byteLength(text));
  value.write(text, CHECKSUM_BYTES);
  return seal(key, value);
}

/** Reads a record of JSON that {@link isSound}; an empty object where it holds none. */
export function decodeJson<T extends object>(value: Uint8Array): Partial<T> {
  const parsed = readJson(Buffer.from(value.subarray(CHECKSUM_BYTES)).toString("utf8"));
  return typeof parsed === "object" && parsed !== null ? (parsed as Partial<T>) : {};
}

/** Whether key and value are what was written. */
export function isSound(key: Uint8Array, value: Uint8Array): boolean {
  if (value.byteLength < CHECKSUM_BYTES) return false;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return view.getUint32(0) === checksum(key, value);
}

function seal(key: Uint8Array, value: Buffer): Buffer {
  value.writeUInt32BE(checksum(key, value), 0);
  return value;
}

function checksum(key: Uint8Array, value: Uint8Array): number {
  // A message's key is its id: one call for both does, and there are many.
  const start = key[0] === KIND.message ? lowerHalf(key) : crc32(key);
  return crc32(value.subarray(CHECKSUM_BYTES), start);
}

/** The lower half of the id in a message's key. */
function lowerHalf(key: Uint8Array): number {
  let half = 0;
  for (let at = 5; at < 1 + ID_BYTES; at += 1) half = (half << 8) | (key[at] as number);
  return half >>> 0;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Sound, and yet not ours: the caller says so.
    return undefined;
  }
}
