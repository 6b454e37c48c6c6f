/** An item of a {@link LinkedList}: the list keeps its links in the item. */
export interface Linked<T> {
  previousLinked: T | undefined;
  nextLinked: T | undefined;
}

/**
 * Items in the order in which they came, linked through themselves; an item is in one list at most. Adding and removing
 * allocate nothing. A `Set` through which items pass all the time would also hold what has left it: each table that it has
 * outgrown points to the next, so that one of them in the garbage collector's old space keeps all later ones, and what was in
 * them, until the next full collection.
 */
export class LinkedList<T extends Linked<T>> {
  size = 0;
  #first: T | undefined;
  #last: T | undefined;

  /** The item that came before all others. */
  get first(): T | undefined {
    return this.#first;
  }

  add(item: T): void {
    const last = this.#last;
    item.previousLinked = last;
    item.nextLinked = undefined;
    if (last === undefined) this.#first = item;
    else last.nextLinked = item;
    this.#last = item;
    this.size += 1;
  }

  /** Takes out an item that is in the list. */
  delete(item: T): void {
    const { previousLinked: before, nextLinked: after } = item;
    if (before === undefined) this.#first = after;
    else before.nextLinked = after;
    if (after === undefined) this.#last = before;
    else after.previousLinked = before;
    item.previousLinked = undefined;
    item.nextLinked = undefined;
    this.size -= 1;
  }

  *[Symbol.iterator](): Generator<T> {
    for (let item = this.#first; item !== undefined; item = item.nextLinked) yield item;
  }
}
