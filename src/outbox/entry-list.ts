import type { Entry } from "./entry.ts";

/** Entries in the order in which they came, linked through themselves, so that adding and removing allocate nothing. An entry is in one list at most. */
export class EntryList {
  size = 0;
  #first: Entry | undefined;
  #last: Entry | undefined;

  add(entry: Entry): void {
    const last = this.#last;
    entry.previousHeld = last;
    entry.nextHeld = undefined;
    if (last === undefined) this.#first = entry;
    else last.nextHeld = entry;
    this.#last = entry;
    this.size += 1;
  }

  /** Takes out an entry that is in the list. */
  delete(entry: Entry): void {
    const { previousHeld: before, nextHeld: after } = entry;
    if (before === undefined) this.#first = after;
    else before.nextHeld = after;
    if (after === undefined) this.#last = before;
    else after.previousHeld = before;
    entry.previousHeld = undefined;
    entry.nextHeld = undefined;
    this.size -= 1;
  }

  *[Symbol.iterator](): Generator<Entry> {
    for (let entry = this.#first; entry !== undefined; entry = entry.nextHeld) yield entry;
  }
}
