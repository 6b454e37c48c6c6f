import type { DriverDelivery, Outcome } from "../../driver.ts";
import type { Bagged } from "../../internal/bag.ts";
import { shortLivedCopyOf } from "../../internal/copies.ts";
import { EMPTY_HEADER, type Header, MAX_TAG_BYTES } from "../../message.ts";
import type { Share } from "./places.ts";
import type { ReceivingSubscription } from "./receiving-subscriptions.ts";
import { ByteReader } from "./wire/byte-reader.ts";
import { MESSAGE_FLAG, WireError } from "./wire/frames.ts";

/** A message that fills less than this part of the bytes that it came with is copied out of them, if it stays. */
const SMALLEST_PART = 4;

/** Who hears what became of a delivery. */
export interface Settler {
  settled(delivery: RemoteDelivery, outcome: Outcome): void | Promise<void>;
}

/** Where the parts of a message are in the bytes of its frame: read once, and made into values when somebody asks. */
export class RemoteMessage {
  readonly topic: string;
  readonly attempt: number;
  readonly firstFailureAt: number | undefined;
  /** Header and body, as they count against `maxMessageBytes`. */
  readonly size: number;
  /** `undefined` once a handler has them. */
  #bytes: Buffer | undefined;
  /** What the bytes were put together of, where nobody else has them and a handler may. */
  #pieces: readonly Buffer[] | undefined;
  #start: number;
  #end: number;
  readonly #flags: number;
  /** Where id, header and body begin, from `#start`. */
  readonly #headerAt: number;
  readonly #bodyAt: number;
  #id: string | undefined;
  #key: string | undefined;
  #header: Header | undefined;

  /**
   * Reads the frame of a message from its flags on.
   * @throws WireError
   */
  constructor(topic: string, reader: ByteReader) {
    this.topic = topic;
    this.#bytes = reader.bytes;
    this.#pieces = reader.pieces;
    this.#flags = reader.byte();
    this.#start = reader.at;
    this.#end = reader.end;
    skipTag(reader);
    if ((this.#flags & MESSAGE_FLAG.key) !== 0) skipTag(reader);
    if ((this.#flags & MESSAGE_FLAG.failed) === 0) {
      this.attempt = 1;
      this.firstFailureAt = undefined;
    } else {
      this.attempt = reader.number();
      const time = reader.time();
      this.firstFailureAt = Number.isNaN(time) ? undefined : time;
      if (this.attempt < 1 || time < 0 || time > 8.64e15) throw new WireError("an attempt or a time is none");
    }
    this.#headerAt = reader.at - this.#start;
    let headerBytes = 0;
    if ((this.#flags & MESSAGE_FLAG.header) !== 0) {
      for (let left = reader.number() * 2; left > 0; left -= 1) {
        const start = reader.skipText();
        headerBytes += reader.at - start;
      }
    }
    this.size = headerBytes + reader.end - reader.at;
    this.#bodyAt = reader.at - this.#start;
    reader.at = reader.end;
  }

  get id(): string {
    this.#id ??= this.#reader(0).text();
    return this.#id;
  }

  get key(): string | undefined {
    if ((this.#flags & MESSAGE_FLAG.key) === 0) return undefined;
    this.#key ??= this.#readKey();
    return this.#key;
  }

  get header(): Header {
    this.#header ??= (this.#flags & MESSAGE_FLAG.header) === 0 ? EMPTY_HEADER : this.#readHeader();
    return this.#header;
  }

  get body(): Uint8Array {
    return this.#whole().subarray(this.#start + this.#bodyAt, this.#end);
  }

  /** The body as bytes that are the caller's alone: those that were put together of pieces, of which that can be done again. */
  ownBody(): Uint8Array {
    if (this.#pieces === undefined || this.#bytes === undefined) return shortLivedCopyOf(this.body);
    // Read before the bytes are somebody's who may change them.
    this.#id = this.id;
    this.#key = this.key;
    this.#header = this.header;
    const { body } = this;
    this.#bytes = undefined;
    return body;
  }

  /** Copies the message out of the bytes that it came with where those are much larger: it stays for a while. */
  detach(): void {
    const size = this.#end - this.#start;
    if (this.#bytes === undefined) {
      const held = this.#pieces?.reduce((sum, { buffer }) => sum + buffer.byteLength, 0) ?? 0;
      if (held > size * SMALLEST_PART) this.#whole();
      return;
    }
    this.#pieces = undefined;
    if (this.#bytes.buffer.byteLength <= size * SMALLEST_PART) return;
    const own = Buffer.allocUnsafeSlow(size);
    own.set(this.#bytes.subarray(this.#start, this.#end));
    this.#bytes = own;
    this.#start = 0;
    this.#end = size;
  }

  #whole(): Buffer {
    if (this.#bytes === undefined) {
      this.#bytes = Buffer.concat(this.#pieces ?? []);
      this.#pieces = undefined;
    }
    return this.#bytes;
  }

  #readKey(): string {
    const reader = this.#reader(0);
    reader.skipText();
    return reader.text();
  }

  #readHeader(): Header {
    const reader = this.#reader(this.#headerAt);
    const header: Record<string, string> = Object.create(null);
    for (let left = reader.number(); left > 0; left -= 1) {
      const name = reader.text();
      header[name] = reader.text();
    }
    return header;
  }

  #reader(offset: number): ByteReader {
    return new ByteReader().over(this.#whole(), this.#start + offset, this.#end);
  }
}

/** Passes over an id or a key, which no sender may make empty or longer than this. */
function skipTag(reader: ByteReader): void {
  const start = reader.skipText();
  if (reader.at === start || reader.at - start > MAX_TAG_BYTES) throw new WireError("an id or a key is none");
}

/** A message of another process, as a subscription of this one holds it. */
export class RemoteDelivery implements DriverDelivery, Bagged {
  readonly message: RemoteMessage;
  /** The sender's name for this handing-over. */
  readonly number: number;
  readonly subscription: ReceivingSubscription;
  readonly share: Share;
  /** Where it is among what the sender's process has here. */
  place = -1;
  /** Whether it is still here. */
  open = true;
  readonly #settler: Settler;

  constructor(
    message: RemoteMessage,
    number: number,
    subscription: ReceivingSubscription,
    share: Share,
    settler: Settler,
  ) {
    this.message = message;
    this.number = number;
    this.subscription = subscription;
    this.share = share;
    this.#settler = settler;
  }

  get topic(): string {
    return this.message.topic;
  }

  get id(): string {
    return this.message.id;
  }

  get key(): string | undefined {
    return this.message.key;
  }

  get header(): Header {
    return this.message.header;
  }

  get body(): Uint8Array {
    return this.message.body;
  }

  ownBody(): Uint8Array {
    return this.message.ownBody();
  }

  get attempt(): number {
    return this.message.attempt;
  }

  get firstFailureAt(): number | undefined {
    return this.message.firstFailureAt;
  }

  settle(outcome: Outcome): void | Promise<void> {
    return this.#settler.settled(this, outcome);
  }
}
