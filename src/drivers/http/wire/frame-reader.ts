import { FRAME_HEAD_BYTES, WireError } from "./frames.ts";

/** Takes a frame's type and payload: `bytes` from `at` to `end`, which belong to the reader's chunk and are not changed. */
export type FrameHandler = (type: number, bytes: Buffer, at: number, end: number) => void;

/** Bytes of the length in front of a frame. */
const LENGTH_BYTES = 4;

/** Cuts a stream of bytes, in whatever pieces it comes, into frames. A frame within one chunk is not copied. */
export class FrameReader {
  /** The longest frame, without its length, in bytes. */
  maxBytes: number;
  readonly #handle: FrameHandler;
  /** The beginning of a frame whose end has not come yet. */
  #pieces: Buffer[] = [];
  #held = 0;
  /** How long that frame is with its length; 0 while even that is not known. */
  #wanted = 0;
  #stopped = false;

  constructor(maxBytes: number, handle: FrameHandler) {
    this.maxBytes = maxBytes;
    this.#handle = handle;
  }

  /** Hands no further frame over, not even of the chunk at hand. */
  stop(): void {
    this.#stopped = true;
    this.#pieces = [];
    this.#held = 0;
  }

  /**
   * Takes the next bytes, which must not change any more.
   * @throws WireError for a frame without a type, or longer than allowed; and whatever the handler throws.
   */
  push(chunk: Buffer): void {
    let at = 0;
    while (!this.#stopped && this.#held > 0) {
      const missing = (this.#wanted === 0 ? LENGTH_BYTES : this.#wanted) - this.#held;
      const piece = chunk.subarray(at, at + missing);
      if (piece.length > 0) this.#pieces.push(piece);
      this.#held += piece.length;
      at += piece.length;
      if (piece.length < missing) return;
      const whole = this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces, this.#held);
      if (this.#wanted === 0) {
        this.#wanted = LENGTH_BYTES + this.#lengthAt(whole, 0);
        this.#pieces = [whole];
      } else {
        this.#pieces = [];
        this.#held = 0;
        this.#wanted = 0;
        this.#handle(whole[LENGTH_BYTES] as number, whole, FRAME_HEAD_BYTES, whole.length);
      }
    }
    const size = chunk.length;
    while (!this.#stopped && size - at >= LENGTH_BYTES) {
      const end = at + LENGTH_BYTES + this.#lengthAt(chunk, at);
      if (end > size) {
        this.#wanted = end - at;
        break;
      }
      this.#handle(chunk[at + LENGTH_BYTES] as number, chunk, at + FRAME_HEAD_BYTES, end);
      at = end;
    }
    if (this.#stopped || at === size) return;
    // A copy, so that the beginning of a frame does not hold the whole chunk, which may be large.
    this.#pieces = [Buffer.from(chunk.subarray(at))];
    this.#held = size - at;
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
