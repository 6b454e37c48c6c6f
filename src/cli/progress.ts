import type { Output } from "./terminal.ts";

const EVERY_MS = 200;
const ERASE_LINE = "\r\u001b[K";

/** One line that counts up on a terminal; nothing where the stream is none. */
export class Progress {
  readonly #stream: Output;
  readonly #describe: (count: number) => string;
  #shownAt = Number.NEGATIVE_INFINITY;
  #shown = false;

  constructor(stream: Output, describe: (count: number) => string) {
    this.#stream = stream;
    this.#describe = describe;
  }

  /** Shows the count, at most five times a second. */
  update(count: number): void {
    const now = performance.now();
    if (this.#stream.isTTY !== true || now - this.#shownAt < EVERY_MS) return;
    this.#shownAt = now;
    this.#shown = true;
    this.#stream.write(`${ERASE_LINE}${this.#describe(count)}`);
  }

  /** Removes the line. Idempotent. */
  clear(): void {
    if (this.#shown) this.#stream.write(ERASE_LINE);
    this.#shown = false;
  }
}
