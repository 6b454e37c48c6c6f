import { checkPattern, checkQueue } from "../../../topics.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { FRAME, WireError } from "./frames.ts";

/** A subscription, as its process tells it. */
export interface Announcement {
  /** Its number in that process, never used again there. */
  readonly index: number;
  readonly id: string;
  readonly pattern: string;
  readonly queue: string | undefined;
  /** How long its handlers may take, in milliseconds. */
  readonly ackTimeoutMs: number;
}

/** The form of a subscription's id. */
const ID = /^[a-z0-9-]{1,63}$/;

/** Room for the numbers of an announcement, in bytes. */
const FIXED_BYTES = 64;

/** Tells of a subscription. */
export function writeAnnouncement(writer: FrameWriter, announcement: Announcement): void {
  const { index, id, pattern, queue, ackTimeoutMs } = announcement;
  writer.begin(FRAME.subscribe, FIXED_BYTES + (id.length + pattern.length + (queue?.length ?? 0)) * 3);
  writer.number(index);
  writer.time(ackTimeoutMs);
  writer.text(id);
  writer.text(pattern);
  writer.byte(queue === undefined ? 0 : 1);
  if (queue !== undefined) writer.text(queue);
  writer.finish();
}

/**
 * Reads what a process tells of a subscription.
 * @throws WireError also where its pattern or queue is none
 */
export function readAnnouncement(reader: ByteReader): Announcement {
  const [index, ackTimeoutMs, id, pattern] = [reader.number(), reader.time(), reader.text(), reader.text()];
  const queue = reader.byte() === 0 ? undefined : reader.text();
  reader.done();
  try {
    checkPattern(pattern);
    if (queue !== undefined) checkQueue(queue);
  } catch (error) {
    throw new WireError((error as Error).message);
  }
  if (!ID.test(id) || !(ackTimeoutMs > 0)) throw new WireError("a subscription has no id or time limit");
  return { index, id, pattern, queue, ackTimeoutMs };
}
