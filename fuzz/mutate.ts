import type { Random } from "./random.ts";

/** Bytes that parsers are known to stumble over. */
const AWKWARD: readonly Buffer[] = [
  Buffer.from([0]),
  Buffer.from([0x7f]),
  Buffer.from([0x80]),
  Buffer.from([0xff]),
  Buffer.from([0xff, 0xff, 0xff, 0xff]),
  Buffer.from([0, 0, 0, 0]),
  Buffer.from([0xff, 0xff, 0xff, 0x7f]),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]),
  Buffer.from("\r\n\r\n"),
  Buffer.from("__proto__"),
  Buffer.from("constructor"),
  Buffer.from("\ud800", "utf16le"),
  Buffer.from([0xc3, 0x28]),
  Buffer.from("%00"),
  Buffer.from('"}],"'),
  Buffer.from("1e999"),
];

/** One change of some bytes. `other`: bytes of the same kind, to take pieces from. */
type Mutation = (random: Random, bytes: Buffer, other: Buffer) => Buffer;

const MUTATIONS: readonly Mutation[] = [
  // A bit, a byte, a small step.
  (random, bytes) => changed(bytes, random.below(bytes.length), (byte) => byte ^ (1 << random.below(8))),
  (random, bytes) => changed(bytes, random.below(bytes.length), () => random.below(256)),
  (random, bytes) => changed(bytes, random.below(bytes.length), (byte) => byte + (random.chance(50) ? 1 : -1)),
  // Something awkward, in place of what is there or between it.
  (random, bytes) => {
    const piece = random.pick(AWKWARD);
    return splice(bytes, random.below(bytes.length), random.chance(50) ? piece.length : 0, piece);
  },
  // Less, or more.
  (random, bytes) => bytes.subarray(0, random.below(bytes.length)),
  (random, bytes) => splice(bytes, random.below(bytes.length), 1 + random.below(16), Buffer.alloc(0)),
  (random, bytes) => splice(bytes, random.below(bytes.length), 0, random.bytes(1 + random.below(16))),
  (random, bytes) => splice(bytes, random.below(bytes.length), 0, pieceOf(random, bytes)),
  // Something of another input.
  (random, bytes, other) => splice(bytes, random.below(bytes.length), 0, pieceOf(random, other)),
  (random, bytes, other) => {
    const piece = pieceOf(random, other);
    return splice(bytes, random.below(bytes.length), piece.length, piece);
  },
];

/** Changes some bytes, in one to four ways. */
export function mutate(random: Random, bytes: Buffer, other: Buffer): Buffer {
  let mutated = bytes;
  for (let left = 1 + random.below(4); left > 0 && mutated.length > 0; left -= 1)
    mutated = random.pick(MUTATIONS)(random, mutated, other);
  return Buffer.from(mutated);
}

/** Cuts bytes at up to three places, as a network may. */
export function cut(random: Random, bytes: Buffer): Buffer[] {
  const places = Array.from({ length: random.below(4) }, () => random.below(bytes.length + 1)).sort((a, b) => a - b);
  const ends = [...places, bytes.length];
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end)).filter((piece) => piece.length > 0);
}

function changed(bytes: Buffer, at: number, change: (byte: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = change(copy[at] as number) & 0xff;
  return copy;
}

function splice(bytes: Buffer, at: number, remove: number, insert: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
}

function pieceOf(random: Random, bytes: Buffer): Buffer {
  const start = random.below(bytes.length + 1);
  return bytes.subarray(start, start + 1 + random.below(40));
}
