import type { GivenUp } from "../driver.ts";
import { type Clock, fromWallTime, wallTime } from "../internal/clock.ts";
import { Entry } from "./entry.ts";
import type { Journal } from "./journal.ts";
import type { Lane } from "./lane.ts";
import { parseLaneId } from "./lane-ids.ts";
import { ADOPTED, OutboxMessage } from "./message.ts";
import type { Outbox } from "./outbox.ts";
import type { KeptMessage } from "./storage/contents.ts";
import type { Note } from "./storage/record.ts";
import type { Legacy } from "./storage/storage.ts";

/** A queue that is known again. */
export interface RestoredQueue {
  readonly pattern: string;
  readonly queue: string;
}

/** What {@link restoreLegacy} works with. */
export interface RestoreParts {
  readonly outbox: Outbox;
  readonly journal: Journal;
  readonly clock: Clock;
  /** A queue that keeps no messages is forgotten this long after its last member, in milliseconds. */
  readonly queueTtlMs: number;
  onGiveUp(message: GivenUp): void;
}

/**
 * Takes up what an earlier process, or another that ended, has left: its queues, and its messages in the order of
 * publishing, each for those who have not settled it. A broadcast subscription that is not known is gone: what was for it
 * is given up. Returns the queues that were not known before.
 */
export function restoreLegacy({ messages, queues }: Legacy, parts: RestoreParts): RestoredQueue[] {
  const { outbox, clock, queueTtlMs } = parts;
  const now = wallTime(clock);
  const fresh: RestoredQueue[] = [];
  const laneOf = (laneId: string): Lane | undefined => {
    const known = outbox.lanes.get(laneId);
    if (known !== undefined) return known;
    const name = parseLaneId(laneId);
    if (name.kind === "broadcast") return undefined;
    if (name.kind === "standing") return outbox.lanes.open(laneId, "standing", name.pattern, undefined);
    fresh.push({ pattern: name.pattern, queue: name.queue });
    return outbox.lanes.open(laneId, "queue", name.pattern, name.queue);
  };
  for (const [laneId, at] of queues) if (at + queueTtlMs > now) laneOf(laneId);
  for (const kept of messages) restoreMessage(kept, parts, laneOf);
  return fresh;
}

function restoreMessage(
  { journalId, message: stored, notes }: KeptMessage,
  { outbox, journal, clock, onGiveUp }: RestoreParts,
  laneOf: (laneId: string) => Lane | undefined,
): void {
  const publishedAt = fromWallTime(clock, stored.publishedAt);
  const message = new OutboxMessage(stored, outbox.nextSequence(), publishedAt, undefined, ADOPTED);
  message.journalId = journalId;
  const laneIds = new Set([...stored.lanes, ...notes.keys()]);
  const entries: Entry[] = [];
  const gone: string[] = [];
  for (const laneId of laneIds) {
    const note = notes.get(laneId) ?? {};
    if (note.done) continue;
    const lane = laneOf(laneId);
    if (lane === undefined) gone.push(laneId);
    else entries.push(restoredEntry(new Entry(message, lane), note, clock));
  }
  for (const _laneId of gone) onGiveUp({ topic: message.topic, id: message.id, reason: "its subscriber is gone" });
  message.holders = entries.length;
  if (laneIds.size > 0 && entries.length === 0) return journal.finished(message, undefined);
  for (const laneId of gone) journal.finished(message, laneId);
  outbox.restore(message, entries);
}

function restoredEntry(entry: Entry, note: Note, clock: Clock): Entry {
  entry.restored = true;
  entry.attempt = note.attempt ?? 1;
  entry.firstFailureAt = note.firstFailureAt;
  entry.dueAt = note.dueAt === undefined ? 0 : fromWallTime(clock, note.dueAt);
  if (note.inHand) {
    // Its process ended with it in a handler's hands, and may have ended because of it.
    entry.attempt += 1;
    entry.firstFailureAt ??= wallTime(clock);
  }
  return entry;
}
