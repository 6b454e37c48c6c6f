import { randomUUID } from "node:crypto";

/** Digits that count up at the end of an id: those of one block of ids, and those before them, which change from block to block. */
const [BLOCK_DIGITS, COUNTED_DIGITS] = [2, 12];

/** How many ids a block has. */
const BLOCK = 16 ** BLOCK_DIGITS;

/** What can stand behind the digits that count blocks. */
const BLOCKS = 16 ** (COUNTED_DIGITS - BLOCK_DIGITS);

/** The last digits of the ids of a block. */
const ENDS = Array.from({ length: BLOCK }, (_, index) => hex(index, BLOCK_DIGITS));

/**
 * Ids that are unique in the world, in the form of a UUID: 74 random bits that all ids of one source share, and twelve digits
 * that count up from a random number. Making one costs a tenth of a UUID whose bits are all random: it is two strings that
 * exist already, joined when somebody reads it. An id is a name and no secret: from one, others can be told.
 */
export class Ids {
  #random = "";
  /** The block at hand, counted from the source's first; and what its ids begin with. */
  #block = 0;
  #start = "";
  #next = BLOCK;
  #blocksLeft = 0;

  next(): string {
    if (this.#next === BLOCK) this.#beginBlock();
    const id = this.#start + ENDS[this.#next];
    this.#next += 1;
    return id;
  }

  #beginBlock(): void {
    // All numbers were used, and another source begins.
    if (this.#blocksLeft === 0) this.#beginSource();
    else this.#block += 1;
    this.#blocksLeft -= 1;
    this.#next = 0;
    this.#start = this.#random + hex(this.#block, COUNTED_DIGITS - BLOCK_DIGITS);
  }

  #beginSource(): void {
    const uuid = randomUUID();
    this.#random = uuid.slice(0, -COUNTED_DIGITS);
    this.#block = Number.parseInt(uuid.slice(-COUNTED_DIGITS, -BLOCK_DIGITS), 16);
    this.#blocksLeft = BLOCKS - this.#block;
  }
}

function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, "0");
}
