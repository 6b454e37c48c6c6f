import { Deque } from "../internal/deque.ts";
import type { Entry } from "./entry.ts";
import type { Member } from "./member.ts";

/**
 * - `broadcast`: one subscription without a queue.
 * - `queue`: a named queue; outlives its members.
 * - `standing`: the one queue of a concrete dead-letter topic.
 */
export type LaneKind = "broadcast" | "queue" | "standing";

/** A destination: what it waits for, in order, and who takes it. */
export class Lane {
  readonly id: string;
  readonly kind: LaneKind;
  readonly pattern: string;
  readonly queue: string | undefined;
  readonly members: Member[] = [];
  /** First attempts, and messages that were given back, in the order of publishing. */
  readonly ready: Deque<Entry> = new Deque();
  /** Retries whose delay is over; they go first. */
  readonly due: Deque<Entry> = new Deque();
  /** Retries whose delay is not over. */
  readonly delayed: Set<Entry> = new Set();
  /** Guards against dispatching within dispatching. */
  dispatching = false;
  #turn = 0;

  constructor(id: string, kind: LaneKind, pattern: string, queue: string | undefined) {
    this.id = id;
    this.kind = kind;
    this.pattern = pattern;
    this.queue = queue;
  }

  /** Whether somebody is there to take messages. */
  get live(): boolean {
    return this.members.some((member) => !member.leaving);
  }

  /** Everything in it: in line, with members, and delayed. */
  *entries(): Generator<Entry> {
    for (const member of this.members) yield* member.entries;
    yield* this.due;
    yield* this.ready;
    yield* this.delayed;
  }

  get size(): number {
    let held = 0;
    for (const member of this.members) held += member.entries.size;
    return held + this.due.size + this.ready.size + this.delayed.size;
  }

  next(): Entry | undefined {
    return this.due.shift() ?? this.ready.shift();
  }

  /** The free member that holds least; members that hold equally much take turns. */
  pick(now: number): Member | undefined {
    const { members } = this;
    let best: Member | undefined;
    let bestIndex = 0;
    for (let step = 0; step < members.length; step += 1) {
      const index = (this.#turn + step) % members.length;
      const member = members[index];
      if (member === undefined || !member.free(now)) continue;
      if (best === undefined || member.entries.size < best.entries.size) {
        best = member;
        bestIndex = index;
      }
      if (best.entries.size === 0) break;
    }
    if (best !== undefined) this.#turn = bestIndex + 1;
    return best;
  }

  /** Puts an entry back where its place in the order of publishing is. */
  giveBack(entry: Entry): void {
    const first = this.ready.peek();
    if (first === undefined || entry.message.sequence <= first.message.sequence) {
      this.ready.unshift(entry);
      return;
    }
    const behind = this.ready.drain();
    let placed = false;
    for (const other of behind) {
      if (!placed && other.message.sequence > entry.message.sequence) {
        this.ready.push(entry);
        placed = true;
      }
      this.ready.push(other);
    }
    if (!placed) this.ready.push(entry);
  }
}
