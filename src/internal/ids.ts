import { randomUUID } from "node:crypto";

/** Where in a UUID the digits begin that count. */
const COUNTED_AT = 24;

/** The hexadecimal digits as bytes. */
const ZERO = 0x30;
const NINE = 0x39;
const A = 0x61;
const F = 0x66;

/**
 * Ids that are unique in the world, in the form of a UUID: 74 random bits that all ids of one source share, and twelve digits
 * that count up from a random number. Making one costs a tenth of a UUID whose bits are all random. An id is a name and no
 * secret: from one, others can be told.
 */
export class Ids {
  #digits: Buffer | undefined;

  next(): string {
    let digits = this.#digits ?? this.#begin();
    let at = digits.length - 1;
    while (digits[at] === F) {
      digits[at] = ZERO;
      at -= 1;
    }
    // Beyond the twelve digits stands a hyphen: all numbers were used, and another source begins.
    if (at < COUNTED_AT) digits = this.#begin();
    else digits[at] = digits[at] === NINE ? A : (digits[at] as number) + 1;
    // In one piece: a string put together from two would be copied when it is read.
    return digits.toString("latin1");
  }

  #begin(): Buffer {
    this.#digits = Buffer.from(randomUUID(), "latin1");
    return this.#digits;
  }
}
