/**
 * The frames of the wire between Tidings peers, as `docs/wire.md` specifies them: a length (four bytes, little-endian, of
 * what follows), a type (one byte), and what the type says. Numbers are unsigned LEB128 up to 2^53 - 1; text is its length in
 * bytes and UTF-8; times are IEEE 754 doubles, little-endian.
 */

import { isDeadLetterTopic } from "../../../topics.ts";

/** The version of the wire that this code speaks. */
export const WIRE_VERSION = "1";

/** Types of frames. Both sides send all of them: each is the sender of some messages and the receiver of others. */
export const FRAME = {
  /** Of the connection itself. */
  proof: 0x01,
  welcome: 0x02,
  goodbye: 0x03,
  ping: 0x04,
  pong: 0x05,
  /** From a receiver of messages. */
  subscribe: 0x10,
  unsubscribe: 0x11,
  holding: 0x12,
  ready: 0x13,
  grant: 0x14,
  recall: 0x15,
  received: 0x16,
  done: 0x17,
  doneKept: 0x18,
  settled: 0x19,
  /** From a sender of messages. */
  topic: 0x20,
  message: 0x21,
  also: 0x22,
  want: 0x23,
  giveBack: 0x24,
  heard: 0x25,
  /** Calls. */
  call: 0x30,
  answer: 0x31,
} as const;

/** Why a connection is closed, as its last frame tells. */
export const GOODBYE = {
  /** The broker disconnects: its subscriptions are gone, and nothing more comes from it. */
  leaving: 0,
  /** There is another connection between the two. */
  duplicate: 1,
  /** The other side broke the rules of the wire. */
  violation: 2,
  /** Nothing was heard for too long. */
  silence: 3,
} as const;

/** Bits of a message's flags. */
export const MESSAGE_FLAG = { key: 1, failed: 2, header: 4 } as const;

/** Bytes before the payload of a frame: its length and its type. */
export const FRAME_HEAD_BYTES = 5;

/** Topics that a sender may number at a time on one connection; the next one takes the oldest number. */
export const MAX_TOPICS = 16_384;

/** Numbers in one frame that lists some, so that no frame is long. */
export const MAX_LISTED = 1_024;

/** The longest part of an answer to a call, in bytes. */
export const ANSWER_PART_BYTES: number = 32 * 1024;

/** What a frame may need beside the message in it: id, key, topic and numbers, in bytes. */
const FRAME_ROOM_BYTES = 64 * 1024;

/** How much longer the header of a message may be in a frame than it counts: two lengths for each pair of at least one byte. */
const FRAME_FACTOR = 4;

/** The longest frame that a side takes whose messages have at most `maxMessageBytes` bytes of header and body. */
export function maxFrameBytes(maxMessageBytes: number): number {
  return Math.min(maxMessageBytes * FRAME_FACTOR + FRAME_ROOM_BYTES, 0xffff_ffff);
}

/** What a dead letter says of its failure, in bytes of header, at most: a reason of 1,000 characters, two names and some numbers. */
const DEAD_LETTER_BYTES = 4 * 1024;

/**
 * How many bytes of header and body a message may have for a side that takes `maxMessageBytes`. A dead letter may have more: its
 * message may have been as large as any.
 */
export function mostBytesOf(topic: string, maxMessageBytes: number): number {
  return isDeadLetterTopic(topic) ? maxMessageBytes + DEAD_LETTER_BYTES : maxMessageBytes;
}

/** What came over a connection is not what this wire has. It costs the connection. */
export class WireError extends Error {
  override readonly name: string = "WireError";
}
