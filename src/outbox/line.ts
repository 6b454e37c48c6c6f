import { Deque } from "../internal/deque.ts";
import { Entry } from "./entry.ts";
import type { Lane } from "./lane.ts";
import type { OutboxMessage } from "./message.ts";

const NONE: readonly OutboxMessage[] = [];

/**
 * What waits for a lane's members, in the order of publishing. A message that is new there, and whose publisher waits for this
 * lane, gets its entry when somebody takes it or looks at it: many wait in many lanes, and few at a time are in hands. Those
 * that came last, together, stay in the list in which all lanes got them, until it has been seen who takes them: most are
 * taken at once.
 */
export class Line {
  readonly #lane: Lane;
  readonly #items = new Deque<Entry | OutboxMessage>();
  /** What came last, behind all others; and the first of it that is still in line. */
  #last: readonly OutboxMessage[] = NONE;
  #lastAt = 0;
  #size = 0;

  constructor(lane: Lane) {
    this.#lane = lane;
  }

  get size(): number {
    return this.#size;
  }

  /** The message that is first in line. */
  get first(): OutboxMessage | undefined {
    const first = this.#items.peek() ?? this.#last[this.#lastAt];
    return first instanceof Entry ? first.message : first;
  }

  /** Messages that their publishers wait for: their entries will be awaited ones. The list is not changed any more. */
  pushNew(messages: readonly OutboxMessage[]): void {
    this.gather();
    this.#last = messages;
    this.#size += messages.length;
  }

  push(entry: Entry): void {
    this.gather();
    this.#items.push(entry);
    this.#size += 1;
  }

  /** Parts what is still in line from the list that it came in, which holds what is done as well. */
  gather(): void {
    for (; this.#lastAt < this.#last.length; this.#lastAt += 1)
      this.#items.push(this.#last[this.#lastAt] as OutboxMessage);
    this.#last = NONE;
    this.#lastAt = 0;
  }

  unshift(entry: Entry): void {
    this.#items.unshift(entry);
    this.#size += 1;
  }

  shift(): Entry | undefined {
    if (this.#size === 0) return undefined;
    this.#size -= 1;
    const first = this.#items.shift();
    if (first !== undefined) return this.#entryOf(first);
    const message = this.#last[this.#lastAt] as OutboxMessage;
    this.#lastAt += 1;
    // What is in hands is not to be held here.
    if (this.#lastAt === this.#last.length) this.#last = NONE;
    return this.#newEntry(message);
  }

  remove(entry: Entry): void {
    this.#size -= this.#items.remove((item) => item === entry).length;
  }

  *[Symbol.iterator](): Generator<Entry> {
    this.gather();
    for (const item of this.#items.drain()) this.#items.push(this.#entryOf(item));
    for (const entry of this.#items) yield entry as Entry;
  }

  #entryOf(item: Entry | OutboxMessage): Entry {
    return item instanceof Entry ? item : this.#newEntry(item);
  }

  #newEntry(message: OutboxMessage): Entry {
    const entry = new Entry(message, this.#lane);
    entry.awaited = true;
    return entry;
  }
}
