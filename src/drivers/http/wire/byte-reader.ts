import { WireError } from "./frames.ts";

/** Reads what a frame holds. Whatever reaches beyond its end, or is malformed, is a `WireError`. */
export class ByteReader {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  end = 0;
  /** What a large frame came in, where it was put together of that: again, all of its bytes. */
  pieces: readonly Buffer[] | undefined;

  /** Begins with another frame's payload. */
  over(bytes: Buffer, at: number, end: number, pieces?: readonly Buffer[]): this {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.pieces = pieces;
    return this;
  }

  byte(): number {
    if (this.at >= this.end) throw new WireError("a frame ends too early");
    return this.bytes[this.at++] as number;
  }

  /** A number in LEB128. */
  number(): number {
    const first = this.byte();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let scale = 0x80; ; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw new WireError("a number is too large");
      if (byte < 0x80) return value;
      if (scale > Number.MAX_SAFE_INTEGER) throw new WireError("a number has no end");
    }
  }

  /** A time or a duration in milliseconds; `NaN` stands for none. */
  time(): number {
    if (this.at + 8 > this.end) throw new WireError("a frame ends too early");
    const value = this.bytes.readDoubleLE(this.at);
    this.at += 8;
    return value;
  }

  /** Text with its length in front. */
  text(): string {
    const start = this.skipText();
    return this.bytes.toString("utf8", start, this.at);
  }

  /** Passes over a text; returns where its bytes begin, and stands at their end. */
  skipText(): number {
    const length = this.number();
    const start = this.at;
    if (length > this.end - start) throw new WireError("a text reaches beyond its frame");
    this.at = start + length;
    return start;
  }

  /** The rest as text. */
  restText(): string {
    const text = this.bytes.toString("utf8", this.at, this.end);
    this.at = this.end;
    return text;
  }

  /** Nothing must be left. */
  done(): void {
    if (this.at !== this.end) throw new WireError("a frame is longer than what it holds");
  }
}
