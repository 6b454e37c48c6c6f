import { Deque } from "./internal/deque.ts";

/** Messages that wait behind one of the same key (D8): one of a key runs at a time, the rest keep their order. */
export class KeyOrder<T> {
  readonly #busy = new Map<string, Deque<T>>();

  /** Whether the item may run now; its key is busy from then on. Otherwise it waits here. */
  admit(key: string, item: T): boolean {
    const behind = this.#busy.get(key);
    if (behind === undefined) {
      this.#busy.set(key, new Deque());
      return true;
    }
    behind.push(item);
    return false;
  }

  /** The running item of this key is done: returns the next, or frees the key. */
  next(key: string): T | undefined {
    const next = this.#busy.get(key)?.shift();
    if (next === undefined) this.#busy.delete(key);
    return next;
  }

  /** Removes and returns everything that waits. */
  drain(): T[] {
    return [...this.#busy.values()].flatMap((behind) => behind.drain());
  }
}
