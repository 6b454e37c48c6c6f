/**
 * Reads messages from the frames of a peer, as `docs/wire.md` specifies them, and shares no code with the broker: what it does
 * not find, the broker must not deliver.
 */

/** A message, as a handler sees it. */
export interface SeenMessage {
  readonly id: string;
  readonly topic: string;
  readonly key: string | undefined;
  readonly attempt: number;
  readonly header: Readonly<Record<string, string>>;
  /** In base64. */
  readonly body: string;
}

/** A text to compare messages by. */
export function fingerprint({ id, topic, key, attempt, header, body }: SeenMessage): string {
  const pairs = Object.keys(header)
    .sort()
    .map((name) => [name, header[name]]);
  return JSON.stringify([id, topic, key ?? null, attempt, pairs, body]);
}

const [MESSAGE, ALSO, TOPIC] = [0x21, 0x22, 0x20];
const MAX_TAG_BYTES = 256;

/**
 * All complete messages in the frames of a stream, up to the first that cannot be read, or has more bytes of header and body
 * than a message may have.
 */
export function messagesIn(stream: Buffer, maxMessageBytes: number): SeenMessage[] {
  const messages: SeenMessage[] = [];
  const topics = new Map<number, string>();
  let last: SeenMessage | undefined;
  for (let at = 0; at + 5 <= stream.length; ) {
    const end = at + 4 + stream.readUInt32LE(at);
    if (end > stream.length || end === at + 4) break;
    const type = stream[at + 4];
    const cursor = new Cursor(stream.subarray(at + 5, end));
    at = end;
    try {
      if (type === TOPIC) topics.set(cursor.number(), cursor.rest().toString("utf8"));
      else if (type === MESSAGE) {
        cursor.number();
        cursor.number();
        last = messageOf(cursor, topics.get(cursor.number()), maxMessageBytes);
        messages.push(last);
      } else if (type === ALSO && last !== undefined) messages.push(last);
    } catch (error) {
      if (error instanceof RangeError) break;
      throw error;
    }
  }
  return messages;
}

function messageOf(cursor: Cursor, topic: string | undefined, maxMessageBytes: number): SeenMessage {
  if (topic === undefined) throw new RangeError("no topic");
  const flags = cursor.byte();
  const id = cursor.tag();
  const key = (flags & 1) === 0 ? undefined : cursor.tag();
  let attempt = 1;
  if ((flags & 2) !== 0) {
    attempt = cursor.number();
    cursor.take(8);
  }
  const header: Record<string, string> = Object.create(null);
  let size = 0;
  if ((flags & 4) !== 0)
    for (let left = cursor.number(); left > 0; left -= 1) {
      const [name, value] = [cursor.take(cursor.number()), cursor.take(cursor.number())];
      size += name.length + value.length;
      header[name.toString("utf8")] = value.toString("utf8");
    }
  const body = cursor.rest();
  if (size + body.length > maxMessageBytes) throw new RangeError("too large");
  return { id, topic, key, attempt, header, body: body.toString("base64") };
}

/** Reads from the front. What is not there is a `RangeError`. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  byte(): number {
    return this.take(1)[0] as number;
  }

  /** Unsigned LEB128 up to 2^53 - 1. */
  number(): number {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError("too large");
      if (byte < 0x80) return Number(value);
    }
    throw new RangeError("no end");
  }

  /** An id or a key: 1 to 256 bytes. */
  tag(): string {
    const bytes = this.take(this.number());
    if (bytes.length === 0 || bytes.length > MAX_TAG_BYTES) throw new RangeError("no id or key");
    return bytes.toString("utf8");
  }

  take(count: number): Buffer {
    if (count > this.#bytes.length - this.#at) throw new RangeError("beyond the frame");
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  rest(): Buffer {
    return this.take(this.#bytes.length - this.#at);
  }
}
