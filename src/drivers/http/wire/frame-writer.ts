import { EMPTY_HEADER, type Header } from "../../../message.ts";
import { FRAME, FRAME_HEAD_BYTES, MAX_TOPICS, MESSAGE_FLAG } from "./frames.ts";

/** The first size of the buffer, in bytes; it grows with what a turn writes. */
const FIRST_BYTES = 16 * 1024;

/** A buffer that has grown beyond this is not kept, in bytes. */
const MOST_KEPT_BYTES = 1024 * 1024;

/** A body from this size on goes out from where it lies, in bytes: to copy it costs more than another part of a write. */
const UNCOPIED_BYTES = 16 * 1024;

/** Text up to this length is written letter by letter, which costs less than a call into the runtime. */
const SHORT_TEXT = 48;

/** The longest number, in bytes. */
const NUMBER_BYTES = 8;

/** The names of the empty header. */
const NO_NAMES: readonly string[] = [];

/** What a frame of a message holds beside its numbers. */
export interface MessageContent {
  readonly topic: string;
  readonly id: string;
  readonly key: string | undefined;
  readonly header: Header;
  readonly body: Uint8Array;
  /** Header and body, in bytes. */
  readonly bytes: number;
}

/** Writes frames one after the other into a buffer that grows, for one connection. Large bodies are not copied into it. */
export class FrameWriter {
  #bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #at = 0;
  #start = 0;
  /** What goes out ahead of the rest of the buffer: large bodies, and what is in the buffer before each. */
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  /** Where the rest of the buffer begins. */
  #from = 0;
  /** The topics that the other side knows by number. */
  readonly #topics = new Map<string, number>();
  /** The topic behind each number. */
  readonly #numbered: string[] = [];
  #nextTopic = 0;
  #lastTopic = "";
  #lastTopicNumber = -1;

  /** How many bytes wait to be taken. */
  get size(): number {
    return this.#partsBytes + this.#at - this.#from;
  }

  /** What was written so far, in parts. They stay as they are until `reuse`. */
  peek(): readonly Uint8Array[] {
    const rest = this.#bytes.subarray(this.#from, this.#at);
    if (this.#parts.length === 0) return [rest];
    return rest.length === 0 ? this.#parts : [...this.#parts, rest];
  }

  /** What was written is on its way. `copied`: its bytes are not needed any more; otherwise the next go into a new buffer. */
  reuse(copied: boolean): void {
    const size = this.#bytes.length;
    if (!copied || size > MOST_KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(Math.min(size, MOST_KEPT_BYTES));
    this.#at = 0;
    this.#from = 0;
    if (this.#parts.length === 0) return;
    this.#parts = [];
    this.#partsBytes = 0;
  }

  /** A frame whose payload is numbers only. */
  numbers(type: number, first?: number, second?: number): void {
    this.begin(type, 2 * NUMBER_BYTES);
    if (first !== undefined) this.number(first);
    if (second !== undefined) this.number(second);
    this.finish();
  }

  /** A frame of a list of numbers, as ranges: how many, and for each its distance from the end of the one before, and its length. */
  ranges(type: number, numbers: readonly number[], from: number, to: number): void {
    this.begin(type, NUMBER_BYTES + (to - from) * 2 * NUMBER_BYTES);
    let previous = 0;
    for (let index = from; index < to; ) {
      const first = numbers[index] as number;
      let last = first;
      index += 1;
      while (index < to && numbers[index] === last + 1) {
        last += 1;
        index += 1;
      }
      const distance = first - previous;
      this.number(distance >= 0 ? distance * 2 : -distance * 2 - 1);
      this.number(last - first);
      previous = last;
    }
    this.finish();
  }

  /**
   * A message for one subscription of the other side; its topic goes ahead where it has no number yet. The body must not change
   * until it was written.
   */
  message(
    number: number,
    subscription: number,
    content: MessageContent,
    attempt: number,
    firstFailureAt: number | undefined,
  ): void {
    const { id, key, header, body, bytes } = content;
    const topic = this.#topicNumber(content.topic);
    const names = header === EMPTY_HEADER ? NO_NAMES : Object.keys(header);
    const uncopied = body.length >= UNCOPIED_BYTES;
    this.begin(
      FRAME.message,
      8 * NUMBER_BYTES +
        (id.length + (key === undefined ? 0 : key.length)) * 3 +
        (uncopied ? bytes - body.length : bytes) +
        names.length * 2 * NUMBER_BYTES,
    );
    this.number(number);
    this.number(subscription);
    this.number(topic);
    const failed = attempt > 1 || firstFailureAt !== undefined;
    this.byte(
      (key === undefined ? 0 : MESSAGE_FLAG.key) |
        (failed ? MESSAGE_FLAG.failed : 0) |
        (names.length === 0 ? 0 : MESSAGE_FLAG.header),
    );
    this.text(id);
    if (key !== undefined) this.text(key);
    if (failed) {
      this.number(attempt);
      this.time(firstFailureAt ?? Number.NaN);
    }
    if (names.length > 0) {
      this.number(names.length);
      for (const name of names) {
        this.text(name);
        this.text(header[name] as string);
      }
    }
    if (uncopied) return this.#finishWith(body);
    this.rest(body);
    this.finish();
  }

  /** Begins a frame whose payload takes at most `most` bytes; then write it, and `finish`. */
  begin(type: number, most: number): void {
    const needed = this.#at + FRAME_HEAD_BYTES + most;
    if (needed > this.#bytes.length) this.#grow(needed);
    this.#start = this.#at;
    this.#bytes[this.#at + FRAME_HEAD_BYTES - 1] = type;
    this.#at += FRAME_HEAD_BYTES;
  }

  /** Ends a frame, behind which come so many bytes that belong to it. */
  finish(more = 0): void {
    const bytes = this.#bytes;
    const start = this.#start;
    const length = this.#at - start - FRAME_HEAD_BYTES + 1 + more;
    bytes[start] = length;
    bytes[start + 1] = length >>> 8;
    bytes[start + 2] = length >>> 16;
    bytes[start + 3] = length >>> 24;
  }

  byte(value: number): void {
    this.#bytes[this.#at++] = value;
  }

  number(value: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    let rest = value;
    // Beyond 31 bits JavaScript's bitwise operators would cut it off.
    while (rest > 0x7fff_ffff) {
      bytes[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.#at = at;
  }

  time(value: number): void {
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
  }

  text(value: string): void {
    const { length } = value;
    if (length <= SHORT_TEXT && this.#shortText(value, length)) return;
    this.number(Buffer.byteLength(value));
    this.restText(value);
  }

  /** Text without its length: the last of a frame. */
  restText(value: string): void {
    this.#at += this.#bytes.write(value, this.#at);
  }

  /** Bytes without their length: the last of a frame. */
  rest(value: Uint8Array): void {
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** Text of ASCII; anything else is left to the runtime. */
  #shortText(value: string, length: number): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    bytes[at++] = length;
    for (let index = 0; index < length; index += 1) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      bytes[at++] = code;
    }
    this.#at = at;
    return true;
  }

  /** Ends a frame with bytes that are not copied. */
  #finishWith(value: Uint8Array): void {
    this.finish(value.length);
    this.#parts.push(this.#bytes.subarray(this.#from, this.#at), value);
    this.#partsBytes += this.#at - this.#from + value.length;
    this.#from = this.#at;
  }

  /** The number of a topic; one that is new is told first. */
  #topicNumber(topic: string): number {
    if (topic === this.#lastTopic) return this.#lastTopicNumber;
    let number = this.#topics.get(topic);
    if (number === undefined) {
      number = this.#nextTopic;
      this.#nextTopic = (number + 1) % MAX_TOPICS;
      const former = this.#numbered[number];
      if (former !== undefined) this.#topics.delete(former);
      this.#numbered[number] = topic;
      this.#topics.set(topic, number);
      this.begin(FRAME.topic, NUMBER_BYTES + topic.length * 3);
      this.number(number);
      this.restText(topic);
      this.finish();
    }
    this.#lastTopic = topic;
    this.#lastTopicNumber = number;
    return number;
  }

  #grow(needed: number): void {
    let size = this.#bytes.length * 2;
    while (size < needed) size *= 2;
    const larger = Buffer.allocUnsafeSlow(size);
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}
