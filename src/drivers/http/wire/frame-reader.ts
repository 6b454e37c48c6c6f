import { FRAME_HEAD_BYTES, WireError } from "./frames.ts";

/**
 * Takes a frame's type and payload: `bytes` from `at` to `end`, which belong to the reader's chunk and are not changed. A large
 * frame that was put together has its bytes to itself, and comes with the `pieces` that it was put together of.
 */
export type FrameHandler = (type: number, bytes: Buffer, at: number, end: number, pieces?: readonly Buffer[]) => void;

/** From this size on a frame that is put together comes with its pieces, in bytes. */
const LARGE_BYTES = 16 * 1024;

/** Bytes of the length in front of a frame. */
const LENGTH_BYTES = 4;

/** A frame that came in more pieces than this comes without them: as so many small ones they would take more than its bytes. */
const MOST_PIECES = 128;

const NOTHING = Buffer.alloc(0);

/** Cuts a stream of bytes, in whatever pieces it comes, into frames. A frame within one chunk is not copied. */
export class FrameReader {
  /** The longest frame, without its length, in bytes. */
  maxBytes: number;
  readonly #handle: FrameHandler;
  /** A frame whose end has not come yet, as far as it has come: its length, or all of it once that is known. */
  #partial: Buffer = NOTHING;
  #held = 0;
  /** What it came in, where it is a large one. */
  #pieces: Buffer[] | undefined;
  #stopped = false;

  constructor(maxBytes: number, handle: FrameHandler) {
    this.maxBytes = maxBytes;
    this.#handle = handle;
  }

  /** Hands no further frame over, not even of the chunk at hand. */
  stop(): void {
    this.#stopped = true;
    this.#partial = NOTHING;
    this.#pieces = undefined;
    this.#held = 0;
  }

  /**
   * Takes the next bytes, which must not change any more.
   * @throws WireError for a frame without a type, or longer than allowed; and whatever the handler throws.
   */
  push(chunk: Buffer): void {
    let at = this.#held === 0 ? 0 : this.#goOn(chunk, 0);
    const size = chunk.length;
    while (!this.#stopped && size - at >= LENGTH_BYTES) {
      const end = at + LENGTH_BYTES + this.#lengthAt(chunk, at);
      if (end > size) break;
      this.#handle(chunk[at + LENGTH_BYTES] as number, chunk, at + FRAME_HEAD_BYTES, end);
      at = end;
    }
    if (!this.#stopped && at < size) this.#goOn(chunk, at);
  }

  /** Copies what belongs to the frame that has begun, so that this does not hold the whole chunk. Returns where that ends. */
  #goOn(chunk: Buffer, from: number): number {
    let at = from;
    if (this.#held < LENGTH_BYTES) {
      if (this.#held === 0) this.#partial = Buffer.allocUnsafeSlow(LENGTH_BYTES);
      at = this.#copy(chunk, at, LENGTH_BYTES);
      if (this.#held < LENGTH_BYTES) return at;
      const whole = Buffer.allocUnsafeSlow(LENGTH_BYTES + this.#lengthAt(this.#partial, 0));
      this.#partial.copy(whole);
      this.#pieces = whole.length < LARGE_BYTES ? undefined : [this.#partial];
      this.#partial = whole;
    }
    const whole = this.#partial;
    const pieces = this.#pieces;
    const end = this.#copy(chunk, at, whole.length);
    if (pieces !== undefined && pieces.push(chunk.subarray(at, end)) > MOST_PIECES) this.#pieces = undefined;
    if (this.#held < whole.length) return end;
    this.#partial = NOTHING;
    this.#pieces = undefined;
    this.#held = 0;
    this.#handle(whole[LENGTH_BYTES] as number, whole, FRAME_HEAD_BYTES, whole.length, pieces);
    return end;
  }

  /** Copies from `at` on until so much is held, as far as the chunk has it. Returns where it stopped. */
  #copy(chunk: Buffer, at: number, wanted: number): number {
    const end = Math.min(chunk.length, at + wanted - this.#held);
    this.#held += chunk.copy(this.#partial, this.#held, at, end);
    return end;
  }

  #lengthAt(bytes: Buffer, at: number): number {
    const length =
      ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16)) +
      (bytes[at + 3] as number) * 0x100_0000;
    if (length === 0) throw new WireError("a frame has no type");
    if (length > this.maxBytes) throw new WireError(`a frame of ${length} bytes is longer than ${this.maxBytes}`);
    return length;
  }
}
