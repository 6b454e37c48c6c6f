import { markAsUntransferable } from "node:worker_threads";

/** How large the pieces of memory are in which copies lie side by side, in bytes. */
const PIECE_BYTES = 32 * 1024;

/** What is larger than this gets memory of its own, in bytes. */
const MOST_SHARING_BYTES = 4 * 1024;

/** Where the next copy begins is a multiple of this, in bytes: copying is quicker there. */
const ALIGNMENT = 8;

let piece = Buffer.allocUnsafeSlow(0);
let at = 0;

/**
 * A copy of bytes that few keep for long: one that stays holds the piece of 32 KiB that it lies in. It costs about half of a copy
 * in Node's own pool, whose pieces of 8 KiB are made so much more often.
 */
export function shortLivedCopy(bytes: Uint8Array): Buffer {
  const size = bytes.length;
  if (size > MOST_SHARING_BYTES) return Buffer.from(bytes);
  if (at + size > piece.length) {
    piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    // As Node's pool: who transferred one copy would take away all others of its piece.
    markAsUntransferable(piece.buffer);
    at = 0;
  }
  const copy = piece.subarray(at, at + size);
  copy.set(bytes);
  at = (at + size + ALIGNMENT - 1) & -ALIGNMENT;
  return copy;
}
