import { markAsUntransferable } from "node:worker_threads";

/** What is larger than this gets memory of its own, in bytes. */
const MOST_SHARING_BYTES = 4 * 1024;

/** Where the next copy begins is a multiple of this, in bytes: copying is quicker there. */
const ALIGNMENT = 8;

/** What a part of a `Buffer` is made with: calling it is half the price of `subarray`, which looks for it each time. */
const View = (Buffer as unknown as { [Symbol.species]: new (memory: ArrayBuffer, at: number, size: number) => Buffer })[
  Symbol.species
];

/** Copies bytes into a view: to look for it in each view is a third of its price. */
const { set } = Uint8Array.prototype;

/** Copies of small bodies side by side in pieces of memory, as `Buffer.from` makes them in Node's own pool, at half its price. */
class Copies {
  readonly #pieceBytes: number;
  #piece = new ArrayBuffer(0);
  #at = 0;
  /** How many bytes the piece has: asking it each time costs a tenth of a copy. */
  #end = 0;

  constructor(pieceBytes: number) {
    this.#pieceBytes = pieceBytes;
  }

  copy(bytes: Uint8Array): Buffer {
    const size = bytes.length;
    if (size > MOST_SHARING_BYTES) return Buffer.from(bytes);
    if (this.#at + size > this.#end) this.#begin();
    const copy = new View(this.#piece, this.#at, size);
    set.call(copy, bytes);
    this.#at = (this.#at + size + ALIGNMENT - 1) & -ALIGNMENT;
    return copy;
  }

  #begin(): void {
    this.#piece = Buffer.allocUnsafeSlow(this.#pieceBytes).buffer as ArrayBuffer;
    // As Node's pool: who transferred one copy would take away all others of its piece.
    markAsUntransferable(this.#piece);
    this.#at = 0;
    this.#end = this.#pieceBytes;
  }
}

const kept = new Copies(8 * 1024);
const shortLived = new Copies(32 * 1024);

/** A copy of bytes. One that stays holds a piece of 8 KiB, as one in Node's pool does. */
export function copyOf(bytes: Uint8Array): Buffer {
  return kept.copy(bytes);
}

/** A copy of bytes that few keep for long: one that stays holds a piece of 32 KiB, of which fewer are made. */
export function shortLivedCopyOf(bytes: Uint8Array): Buffer {
  return shortLived.copy(bytes);
}
