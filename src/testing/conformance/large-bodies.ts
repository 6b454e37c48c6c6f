import type { Handler } from "../../delivery.ts";
import { pause } from "./until.ts";

/** Lengths of bodies that drivers may treat as large, in bytes: on both sides of round figures, and several at a time of each. */
const LENGTHS = [16_384, 16_385, 65_536, 65_535, 100_000];

/** The header that says which body a message should have. */
const NUMBER = "number";

/** How far the words of one body are from those of the next, so that no two of some 40,000 have the same. */
const STRIDE = 100_003;

/** The body with this number, from 0. */
function largeBody(number: number): Buffer {
  const body = Buffer.alloc(LENGTHS[number % LENGTHS.length] as number);
  for (let at = 0; at + 4 <= body.byteLength; at += 4) body.writeUInt32LE((number * STRIDE + at) >>> 0, at);
  return body;
}

/** A message with such a body. */
export function largeMessage(number: number): { header: Record<string, string>; body: Buffer } {
  return { header: { [NUMBER]: String(number) }, body: largeBody(number) };
}

/** Notes what arrives of such messages: one whose body is not as it was sent has changed. */
export class LargeMessages {
  readonly arrived: Set<number> = new Set();
  readonly changed: number[] = [];

  /** Reads a message late: others are published before it is read. */
  readonly handler: Handler = async (delivery) => {
    await pause(1);
    const { header, body } = delivery.message;
    const number = Number(header[NUMBER]);
    if (largeBody(number).equals(body)) this.arrived.add(number);
    else this.changed.push(number);
  };
}
