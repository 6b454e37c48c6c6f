/**
 * Copies of large bodies, in memory that is used again once their drivers have given it back.
 *
 * To V8 such memory is outside its heap, and it collects the whole heap each time that so much of it was made: on a busy
 * connection, where the client makes another copy to write it, that is every 30 MiB or so. In a process with 40 MiB of live
 * objects that was two thirds of what a message of 64 KiB cost the sender on NATS.
 */

/** From this size on a copy has a piece of memory of its own, in bytes, that may be used again. */
export const LARGE_COPY_BYTES: number = 16 * 1024;

/** How much may wait to be used again, in bytes: what is given back beyond is left to the garbage collector. */
const MAX_IDLE_BYTES = 8 * 1024 * 1024;

/** Sizes of pieces are a quarter of a power of two apart, so that a copy leaves less than a fifth of its piece empty. */
const STEPS = 4;

const idle = new Map<number, ArrayBuffer[]>();
let idleBytes = 0;

/** A `Buffer` of `size` bytes, {@link LARGE_COPY_BYTES} or more, with anything in it. */
export function takeLarge(size: number): Buffer {
  const pieceBytes = pieceBytesFor(size);
  const memory = idle.get(pieceBytes)?.pop();
  if (memory === undefined) return Buffer.from(Buffer.allocUnsafeSlow(pieceBytes).buffer, 0, size);
  idleBytes -= pieceBytes;
  return Buffer.from(memory, 0, size);
}

/** Gives back what {@link takeLarge} gave, once: nobody reads it any more. */
export function giveBackLarge(copy: Uint8Array): void {
  const memory = copy.buffer as ArrayBuffer;
  const pieceBytes = memory.byteLength;
  if (idleBytes + pieceBytes > MAX_IDLE_BYTES) return;
  idleBytes += pieceBytes;
  const pieces = idle.get(pieceBytes);
  if (pieces === undefined) idle.set(pieceBytes, [memory]);
  else pieces.push(memory);
}

function pieceBytesFor(size: number): number {
  const step = 2 ** Math.floor(Math.log2(size)) / STEPS;
  return Math.ceil(size / step) * step;
}
