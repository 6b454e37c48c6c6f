/**
 * Copies of large bodies, in memory that is used again once their drivers have given it back.
 *
 * To V8 such memory is outside its heap, and it collects the whole heap each time that so much of it was made: on a busy
 * connection, where the client makes another copy to write it, that is every 30 MiB or so. In a process with 40 MiB of live
 * objects that was two thirds of what a message of 64 KiB cost the sender on NATS.
 */

/** From this size on a copy has a piece of memory of its own, in bytes, that may be used again. */
export const LARGE_COPY_BYTES: number = 16 * 1024;

/**
 * How much may wait to be used again, in bytes: beyond that, what has waited longest of other sizes is left to the garbage collector.
 *
 * It is more than a driver holds at a time: JetStream's, up to 16 MiB that it may have to send again, all of which come back together
 * at the first publish after a pause. V8 starts to collect the whole heap at 64 MiB above the least such memory that it has seen: with
 * 8 MiB here, what was dropped then lowered that mark, and filling up again kept going over it. A sender of 64 KiB on JetStream took
 * 270 to 470 us of processor time for a message in every second run or so, and takes 120 to 180.
 */
const MAX_IDLE_BYTES = 24 * 1024 * 1024;

/** Sizes of pieces are a quarter of a power of two apart, so that a copy leaves less than a fifth of its piece empty. */
const STEPS = 4;

/** By size of the pieces, the size that was given back last at the end. */
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
  const pieces = idle.get(pieceBytes) ?? [];
  idle.delete(pieceBytes);
  makeRoom(pieceBytes);
  if (idleBytes + pieceBytes <= MAX_IDLE_BYTES) {
    pieces.push(memory);
    idleBytes += pieceBytes;
  }
  idle.set(pieceBytes, pieces);
}

/** Lets go of other sizes, those that were given back longest ago first: else sizes that nobody wants any more would stay for ever. */
function makeRoom(bytes: number): void {
  for (const [pieceBytes, pieces] of idle) {
    while (idleBytes + bytes > MAX_IDLE_BYTES && pieces.pop() !== undefined) idleBytes -= pieceBytes;
    if (idleBytes + bytes <= MAX_IDLE_BYTES) return;
    idle.delete(pieceBytes);
  }
}

function pieceBytesFor(size: number): number {
  const step = 2 ** Math.floor(Math.log2(size)) / STEPS;
  return Math.ceil(size / step) * step;
}
