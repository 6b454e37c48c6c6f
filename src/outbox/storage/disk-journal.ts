import { type Clock, wallTime } from "../../internal/clock.ts";
import type { Entry } from "../entry.ts";
import type { Journal, OnStored } from "../journal.ts";
import type { Lane } from "../lane.ts";
import { parseLaneId } from "../lane-ids.ts";
import type { OutboxMessage } from "../message.ts";
import { type Change, type Commits, plainChange } from "./commits.ts";
import type { KeptMessage, PartContents } from "./contents.ts";
import { encodeJson, encodeMessage, KIND, messageKey, type Note, nameKey, noteKey } from "./record.ts";

/** Makes records of what an outbox tells, in one part of the storage folder. */
export class DiskJournal implements Journal {
  readonly #commits: Pick<Commits, "append">;
  readonly #clock: Clock;
  /** Where the keys of messages are made, for their checksums. */
  readonly #key = messageKey(0);
  #lastId: number;
  /** The lanes for which there are notes, by the ids of messages: most have none. */
  readonly #notes = new Map<number, Set<string>>();
  /** Queues that are written down: when each had a member last, and its lane, if it is known in this process. */
  readonly #queues = new Map<string, { at: number; lane: Lane | undefined }>();

  constructor(commits: Pick<Commits, "append">, clock: Clock, contents: PartContents) {
    this.#commits = commits;
    this.#clock = clock;
    this.#lastId = contents.lastId;
    for (const { journalId, notes } of contents.messages)
      if (notes.size > 0) this.#notes.set(journalId, new Set(notes.keys()));
    for (const [laneId, at] of contents.queues) this.#queues.set(laneId, { at, lane: undefined });
  }

  store(message: OutboxMessage, lanes: readonly Lane[], onStored?: OnStored): void {
    const isNew = message.journalId === 0;
    if (isNew) {
      this.#lastId += 1;
      message.journalId = this.#lastId;
    }
    const { journalId: id, bytes } = message;
    const publishedAt = wallTime(this.#clock, message.publishedAt);
    const value = encodeMessage(messageKey(id, this.#key), message, lanes, publishedAt);
    this.#commits.append({ key: id, value, messages: isNew ? 1 : 0, bytes, onStored, onWritten: undefined });
  }

  wanted(message: OutboxMessage, lane: Lane): void {
    this.#note(message.journalId, lane.id, {}, undefined);
  }

  changed(entry: Entry, onWritten?: () => void): void {
    const { message, lane, attempt, firstFailureAt, dueAt, inHand } = entry;
    const note = {
      attempt,
      ...(firstFailureAt === undefined ? {} : { firstFailureAt }),
      ...(entry.state === "delayed" ? { dueAt: wallTime(this.#clock, dueAt) } : {}),
      ...(inHand ? { inHand } : {}),
    };
    this.#note(message.journalId, lane.id, note, onWritten);
  }

  finished(message: OutboxMessage, laneId: string | undefined): void {
    const { journalId: id, bytes, holders } = message;
    if (holders > 0) {
      if (laneId !== undefined) this.#note(id, laneId, { done: true }, undefined);
      return;
    }
    this.forget(id, bytes);
  }

  laneAdded(lane: Lane): void {
    if (lane.kind !== "queue") return;
    const known = this.#queues.get(lane.id);
    if (known === undefined) this.#writeQueue(lane.id, { at: wallTime(this.#clock), lane });
    else known.lane = lane;
  }

  laneRemoved(lane: Lane): void {
    if (lane.kind !== "queue" || !this.#queues.delete(lane.id)) return;
    this.#commits.append(plainChange(nameKey(KIND.queue, lane.id), undefined));
  }

  /** Writes down that queues with members have them now. */
  refreshQueues(): void {
    const at = wallTime(this.#clock);
    for (const [laneId, { lane }] of this.#queues) if (lane?.live) this.#writeQueue(laneId, { at, lane });
  }

  /** Whether queues are written down, which another process would need. */
  get hasQueues(): boolean {
    return this.#queues.size > 0;
  }

  /** Takes over what another part keeps, under ids of its own: changes to append, and the messages as they are then kept. */
  adopt({ messages, queues }: PartContents): { readonly changes: Change[]; readonly kept: KeptMessage[] } {
    const changes: Change[] = [];
    const kept: KeptMessage[] = [];
    for (const { message, notes } of messages) {
      this.#lastId += 1;
      const journalId = this.#lastId;
      const lanes = message.lanes.map((id) => ({ id }));
      const value = encodeMessage(messageKey(journalId, this.#key), message, lanes);
      changes.push({ ...plainChange(journalId, value), messages: 1, bytes: message.bytes });
      for (const [laneId, note] of notes) {
        const noteId = noteKey(journalId, laneId);
        changes.push(plainChange(noteId, encodeJson(noteId, note)));
      }
      if (notes.size > 0) this.#notes.set(journalId, new Set(notes.keys()));
      kept.push({ journalId, message, notes });
    }
    for (const [laneId, at] of queues)
      if (!this.#queues.has(laneId) && parseLaneId(laneId).kind === "queue")
        this.#writeQueue(laneId, { at, lane: undefined });
    return { changes, kept };
  }

  /** Removes a message and its notes. */
  forget(id: number, bytes: number): void {
    this.#commits.append({
      key: id,
      value: undefined,
      messages: -1,
      bytes,
      onStored: undefined,
      onWritten: undefined,
    });
    if (this.#notes.size === 0) return;
    const noted = this.#notes.get(id);
    if (noted === undefined) return;
    this.#notes.delete(id);
    for (const laneId of noted) this.#commits.append(plainChange(noteKey(id, laneId), undefined));
  }

  #note(id: number, laneId: string, note: Note, onWritten: (() => void) | undefined): void {
    const noted = this.#notes.get(id) ?? new Set();
    this.#notes.set(id, noted.add(laneId));
    const key = noteKey(id, laneId);
    this.#commits.append({ ...plainChange(key, encodeJson(key, note)), onWritten });
  }

  #writeQueue(laneId: string, known: { at: number; lane: Lane | undefined }): void {
    this.#queues.set(laneId, known);
    const key = nameKey(KIND.queue, laneId);
    this.#commits.append(plainChange(key, encodeJson(key, { at: known.at })));
  }
}
