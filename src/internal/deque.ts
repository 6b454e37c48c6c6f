/** A double-ended queue on a ring buffer: constant time at both ends, and no garbage while its size is steady. */
export class Deque<T> {
  #slots: (T | undefined)[] = new Array(16);
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    if (this.#size === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#size) & (this.#slots.length - 1)] = item;
    this.#size += 1;
  }

  unshift(item: T): void {
    if (this.#size === this.#slots.length) this.#grow();
    this.#head = (this.#head - 1) & (this.#slots.length - 1);
    this.#slots[this.#head] = item;
    this.#size += 1;
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.#size -= 1;
    return item;
  }

  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#slots[this.#head];
  }

  /** Removes and returns everything, in order. */
  drain(): T[] {
    const items = [...this];
    this.#slots = new Array(16);
    this.#head = 0;
    this.#size = 0;
    return items;
  }

  /** Removes every item for which `matches` holds, keeps the order of the rest, and returns what it removed. */
  remove(matches: (item: T) => boolean): T[] {
    const removed: T[] = [];
    for (const item of this.drain()) {
      if (matches(item)) removed.push(item);
      else this.push(item);
    }
    return removed;
  }

  *[Symbol.iterator](): Generator<T> {
    for (let index = 0; index < this.#size; index += 1) {
      yield this.#slots[(this.#head + index) & (this.#slots.length - 1)] as T;
    }
  }

  #grow(): void {
    const items = [...this];
    this.#slots = new Array(items.length * 2);
    for (let index = 0; index < items.length; index += 1) this.#slots[index] = items[index];
    this.#head = 0;
  }
}
