/** Numbers in one page. */
const PAGE = 512;

/** The items of some numbers in a row, and how many there are. */
interface Page<T> {
  readonly items: (T | undefined)[];
  count: number;
}

/**
 * Items by numbers that grow: what comes has the next number, and most items leave in about the order in which they came. They
 * are in pages of so many numbers, so that adding and removing allocate nothing, and one that stays for long holds no more than
 * its page. (A `Map` through which items pass all the time holds what has left it, as `Bag` says of a `Set`.)
 */
export class NumberedItems<T> {
  size = 0;
  readonly #pages = new Map<number, Page<T>>();
  /** The page of the last call, which is most often that of the next. */
  #near: Page<T> | undefined;
  #nearIndex = -1;
  /** The page that was made last, which is kept although it may be empty. */
  #newestIndex = -1;
  /** An empty page, for the next that is needed: where items leave as soon as they come, it is always the same. */
  #spare: Page<T> | undefined;

  get(number: number): T | undefined {
    return this.#page(number)?.items[number % PAGE];
  }

  set(number: number, item: T): void {
    const page = this.#page(number) ?? this.#addPage(number);
    if (page.items[number % PAGE] === undefined) {
      page.count += 1;
      this.size += 1;
    }
    page.items[number % PAGE] = item;
  }

  delete(number: number): void {
    const page = this.#page(number);
    if (page === undefined || page.items[number % PAGE] === undefined) return;
    page.items[number % PAGE] = undefined;
    page.count -= 1;
    this.size -= 1;
    // The newest page stays: where items leave as soon as they come, the next one belongs there.
    if (page.count > 0 || this.#nearIndex === this.#newestIndex) return;
    this.#pages.delete(this.#nearIndex);
    this.#spare = page;
    this.#near = undefined;
    this.#nearIndex = -1;
  }

  /** Numbers and items, page by page in the order in which the pages came. Items may be removed meanwhile, and none added. */
  *[Symbol.iterator](): Generator<[number, T]> {
    for (const [index, { items }] of this.#pages) {
      for (let at = 0; at < PAGE; at += 1) {
        const item = items[at];
        if (item !== undefined) yield [index * PAGE + at, item];
      }
    }
  }

  #page(number: number): Page<T> | undefined {
    const index = Math.floor(number / PAGE);
    if (index === this.#nearIndex) return this.#near;
    const page = this.#pages.get(index);
    if (page === undefined) return undefined;
    this.#near = page;
    this.#nearIndex = index;
    return page;
  }

  #addPage(number: number): Page<T> {
    const index = Math.floor(number / PAGE);
    const page = this.#spare ?? { items: new Array<T | undefined>(PAGE).fill(undefined), count: 0 };
    this.#spare = undefined;
    this.#pages.set(index, page);
    this.#dropNewest();
    this.#newestIndex = index;
    this.#near = page;
    this.#nearIndex = index;
    return page;
  }

  /** The page that was the newest so far goes if it is empty. */
  #dropNewest(): void {
    const page = this.#pages.get(this.#newestIndex);
    if (page?.count !== 0) return;
    this.#pages.delete(this.#newestIndex);
    this.#spare = page;
  }
}
