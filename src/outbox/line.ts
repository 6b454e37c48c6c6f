import { Deque } from "../internal/deque.ts";
import { Entry } from "./entry.ts";
import type { Lane } from "./lane.ts";
import type { OutboxMessage } from "./message.ts";

/**
 * What waits for a lane's members, in the order of publishing. A message that is new there, and whose publisher waits for this
 * lane, gets its entry when somebody takes it or looks at it: many wait in many lanes, and few at a time are in hands.
 */
export class Line {
  readonly #lane: Lane;
  readonly #items = new Deque<Entry | OutboxMessage>();

  constructor(lane: Lane) {
    this.#lane = lane;
  }

  get size(): number {
    return this.#items.size;
  }

  /** The message that is first in line. */
  get first(): OutboxMessage | undefined {
    const first = this.#items.peek();
    return first instanceof Entry ? first.message : first;
  }

  /** A message that its publisher waits for: its entry will be an awaited one. */
  pushNew(message: OutboxMessage): void {
    this.#items.push(message);
  }

  push(entry: Entry): void {
    this.#items.push(entry);
  }

  unshift(entry: Entry): void {
    this.#items.unshift(entry);
  }

  shift(): Entry | undefined {
    const first = this.#items.shift();
    return first === undefined ? undefined : this.#entryOf(first);
  }

  remove(entry: Entry): void {
    this.#items.remove((item) => item === entry);
  }

  *[Symbol.iterator](): Generator<Entry> {
    for (const item of this.#items.drain()) this.#items.push(this.#entryOf(item));
    for (const entry of this.#items) yield entry as Entry;
  }

  #entryOf(item: Entry | OutboxMessage): Entry {
    if (item instanceof Entry) return item;
    const entry = new Entry(item, this.#lane);
    entry.awaited = true;
    return entry;
  }
}
