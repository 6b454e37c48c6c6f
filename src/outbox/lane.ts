import { Deque } from "../internal/deque.ts";
import type { Entry } from "./entry.ts";
import { Line } from "./line.ts";
import type { Member } from "./member.ts";
import type { Outbox } from "./outbox.ts";

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
  readonly outbox: Outbox;
  /** Who takes from it: `add` and `delete` change it. */
  readonly members: Member[] = [];
  /** Whether somebody is there to take messages. Read for each message: it is worked out when a member comes or goes. */
  live = false;
  /** First attempts, and messages that were given back, in the order of publishing. */
  readonly ready: Line = new Line(this);
  /** Retries whose delay is over; they go first. */
  readonly due: Deque<Entry> = new Deque();
  /** Retries whose delay is not over. */
  readonly delayed: Set<Entry> = new Set();
  /** Guards against dispatching within dispatching. */
  dispatching = false;
  /** Whether it is to be dispatched when the outbox is no longer held. */
  putOff = false;
  #turn = 0;

  constructor(id: string, kind: LaneKind, pattern: string, queue: string | undefined, outbox: Outbox) {
    this.id = id;
    this.kind = kind;
    this.pattern = pattern;
    this.queue = queue;
    this.outbox = outbox;
  }

  /** Whether new messages may come into it: a broadcast subscription that is leaving wants none. */
  get stays(): boolean {
    return this.kind !== "broadcast" || this.live;
  }

  add(member: Member): void {
    member.lane = this;
    this.members.push(member);
    this.look();
  }

  delete(member: Member): void {
    member.lane = undefined;
    this.members.splice(this.members.indexOf(member), 1);
    this.look();
  }

  /** Nobody takes from it any more. */
  clear(): void {
    this.members.length = 0;
    this.look();
  }

  /** Looks whether somebody is still there. */
  look(): void {
    this.live = this.members.some(({ leaving }) => !leaving);
  }

  /** Everything in it: in line, with members, and delayed. */
  *entries(): Generator<Entry> {
    for (const member of this.members) yield* member.inOrder();
    yield* this.due;
    yield* this.ready;
    yield* this.delayed;
  }

  get size(): number {
    let held = 0;
    for (const member of this.members) held += member.entries.size;
    return held + this.due.size + this.ready.size + this.delayed.size;
  }

  /** When the oldest message in it was published, in milliseconds since the epoch; `Infinity` where it is empty. */
  get oldestAt(): number {
    let oldestAt = this.ready.first?.publishedAt ?? Number.POSITIVE_INFINITY;
    // The line is in the order of publishing; everything else is not.
    for (const some of [...this.members.map(({ entries }) => entries), this.due, this.delayed])
      for (const { message } of some) oldestAt = Math.min(oldestAt, message.publishedAt);
    return oldestAt;
  }

  next(): Entry | undefined {
    return this.due.shift() ?? this.ready.shift();
  }

  /** The free member that holds least; members that hold equally much take turns. */
  pick(): Member | undefined {
    const { members } = this;
    if (members.length === 1) {
      const only = members[0] as Member;
      return only.free ? only : undefined;
    }
    let best: Member | undefined;
    let bestIndex = 0;
    for (let step = 0; step < members.length; step += 1) {
      const index = (this.#turn + step) % members.length;
      const member = members[index];
      if (member === undefined) continue;
      if (!member.free) {
        // It may get room by the next message, so that it has its turn.
        if (!member.leaving) member.carrier.starve?.();
        continue;
      }
      if (best === undefined || member.entries.size < best.entries.size) {
        best = member;
        bestIndex = index;
      }
      if (best.entries.size === 0) break;
    }
    if (best !== undefined) this.#turn = bestIndex + 1;
    return best;
  }

  /** Takes an entry out that no member has. */
  remove(entry: Entry): void {
    if (this.delayed.delete(entry)) return;
    this.ready.remove(entry);
    this.due.remove((other) => other === entry);
  }

  /** What no member has and was published before a time, in milliseconds since the epoch. */
  waitingSince(time: number): Entry[] {
    return [...this.ready, ...this.due, ...this.delayed].filter(({ message }) => message.publishedAt < time);
  }

  /** Puts an entry back where its place in the order of publishing is: near the front, behind what was given back before it. */
  giveBack(entry: Entry): void {
    const { ready } = this;
    const { sequence } = entry.message;
    const before: Entry[] = [];
    while (ready.first !== undefined && ready.first.sequence < sequence) before.push(ready.shift() as Entry);
    ready.unshift(entry);
    for (let other = before.pop(); other !== undefined; other = before.pop()) ready.unshift(other);
  }
}
