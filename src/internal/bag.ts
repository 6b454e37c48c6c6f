/** An item of a {@link Bag}: the bag keeps its place in the item. */
export interface Bagged {
  /** Where it is in its bag; -1 where it is in none. */
  place: number;
}

/**
 * Items in no order; an item is in one bag at most. Adding and removing allocate nothing and touch one or two items, and what
 * has left is held by nothing. A `Set` through which items pass all the time would hold it: each table that the set has outgrown
 * points to the next, so that one of them in the garbage collector's old space keeps all later ones, and what was in them, until
 * the next full collection. (A linked list writes to both neighbours, for which the collector keeps books.)
 */
export class Bag<T extends Bagged> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    item.place = this.#items.length;
    this.#items.push(item);
  }

  /** Takes out an item that is in the bag: the last one gets its place. */
  delete(item: T): void {
    const last = this.#items.pop() as T;
    if (last !== item) {
      last.place = item.place;
      this.#items[item.place] = last;
    }
    item.place = -1;
  }

  /** What is in it at the time of the call. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#items.slice().values();
  }
}
