import fc from "fast-check";
import type { Outcome } from "../../../../../src/driver.ts";
import { ByteReader } from "../../../../../src/drivers/http/wire/byte-reader.ts";
import { FrameReader } from "../../../../../src/drivers/http/wire/frame-reader.ts";
import { FrameWriter } from "../../../../../src/drivers/http/wire/frame-writer.ts";
import { FRAME } from "../../../../../src/drivers/http/wire/frames.ts";
import { type Settled, writeSettled } from "../../../../../src/drivers/http/wire/outcome-frame.ts";
import { type Announcement, writeAnnouncement } from "../../../../../src/drivers/http/wire/subscribe-frame.ts";

/** Any number that a frame can hold; small ones often, since most are. */
export const anyNumber: fc.Arbitrary<number> = fc.oneof(
  fc.nat({ max: 300 }),
  fc.nat(),
  fc.maxSafeNat(),
  fc.constantFrom(0x7f, 0x80, 0x3fff, 0x4000, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER),
);

const anyTime = fc.double({ min: 0, max: 8.64e15, noNaN: true }).map((time) => time + 0);

/** Any text that is well-formed Unicode. */
export const anyText: fc.Arbitrary<string> = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.uuid());

/** Any outcome that a subscription may decide. */
const anyOutcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.constant<Outcome>({ kind: "ack" }),
  fc.constant<Outcome>({ kind: "release" }),
  fc.record({
    kind: fc.constant("retry" as const),
    delayMs: anyTime,
    attempt: anyNumber.map((attempt) => Math.max(1, attempt)),
    firstFailureAt: fc.option(anyTime, { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant("dead" as const),
    to: fc.oneof(fc.constant<false>(false), fc.constantFrom("dlq.a.b", "graveyard", "dlq.grün.*x")),
    reason: fc.string({ unit: "binary" }),
    attempts: anyNumber,
    firstAt: anyTime,
    lastAt: anyTime,
  }),
);

/** What became of any message. */
export const anySettled: fc.Arbitrary<Settled> = fc.record({
  number: anyNumber,
  outcome: anyOutcome,
  returned: fc.boolean(),
});

/** Any subscription. */
export const anyAnnouncement: fc.Arbitrary<Announcement> = fc.record({
  index: anyNumber,
  id: fc.stringMatching(/^[a-z0-9-]{1,63}$/),
  pattern: fc.constantFrom("a", "a.*.c", "a.>", ">", "grün.ö", "dlq.a"),
  queue: fc.option(fc.constantFrom("q", "eine Warteschlange ü"), { nil: undefined }),
  ackTimeoutMs: fc.constantFrom(1, 30_000, Number.POSITIVE_INFINITY),
});

/** What a message may be made of. */
export interface AnyMessage {
  readonly number: number;
  readonly subscription: number;
  readonly topic: string;
  readonly id: string;
  readonly key: string | undefined;
  readonly header: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly attempt: number;
  readonly firstFailureAt: number | undefined;
}

/** Any id or key that a message may have. */
const anyTag = anyText.filter((text) => text !== "" && Buffer.byteLength(text) <= 256);

/** Any message. */
export const anyMessage: fc.Arbitrary<AnyMessage> = fc.record({
  number: anyNumber,
  subscription: anyNumber,
  topic: fc.constantFrom("a", "a.b.c", "orders.created", "grün.ö"),
  id: anyTag,
  key: fc.option(anyTag, { nil: undefined }),
  header: fc.dictionary(anyText, anyText, { maxKeys: 5, noNullPrototype: false }),
  body: fc.uint8Array({ maxLength: 300 }),
  attempt: fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 1_000 })),
  firstFailureAt: fc.option(anyTime, { nil: undefined }),
});

/** Writes a message as a sender does. */
export function writeMessage(writer: FrameWriter, message: AnyMessage): void {
  const { number, subscription, attempt, firstFailureAt, ...content } = message;
  let bytes = content.body.length;
  for (const [name, value] of Object.entries(content.header))
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  writer.message(number, subscription, { ...content, bytes }, attempt, firstFailureAt);
}

/** One step of a peer: what it writes. */
const anyStep: fc.Arbitrary<(writer: FrameWriter) => void> = fc.oneof(
  anyMessage.map((message) => (writer: FrameWriter) => writeMessage(writer, message)),
  anySettled.map((settled) => (writer: FrameWriter) => writeSettled(writer, settled)),
  anyAnnouncement.map((announcement) => (writer: FrameWriter) => writeAnnouncement(writer, announcement)),
  fc
    .tuple(
      fc.constantFrom(
        FRAME.also,
        FRAME.want,
        FRAME.giveBack,
        FRAME.heard,
        FRAME.grant,
        FRAME.recall,
        FRAME.received,
        FRAME.unsubscribe,
        FRAME.ready,
        FRAME.ping,
        FRAME.pong,
      ),
      fc.nat({ max: 40 }),
      fc.nat({ max: 40 }),
    )
    .map(
      ([type, first, second]) =>
        (writer: FrameWriter) =>
          writer.numbers(type, first, second),
    ),
  fc
    .tuple(fc.constantFrom(FRAME.done, FRAME.doneKept, FRAME.holding), fc.array(fc.nat({ max: 60 }), { maxLength: 30 }))
    .map(
      ([type, numbers]) =>
        (writer: FrameWriter) =>
          writer.ranges(type, numbers, 0, numbers.length),
    ),
);

/** The bytes of any peer that keeps to the form of frames, whatever it says in them. */
export const anyStream: fc.Arbitrary<Buffer> = fc.array(anyStep, { minLength: 1, maxLength: 12 }).map((steps) => {
  const writer = new FrameWriter();
  for (const step of steps) step(writer);
  return Buffer.concat(writer.peek());
});

/** Cuts bytes into pieces at places that are shares of their length. */
export function cutUp(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, index) => Buffer.from(bytes.subarray(places[index], end)));
}

/** A frame as a test looks at it. */
export interface SeenFrame {
  readonly type: number;
  readonly payload: Buffer;
}

/** The frames in pieces of a stream. */
export function framesOf(pieces: readonly Buffer[], maxBytes = 1_000_000): SeenFrame[] {
  const frames: SeenFrame[] = [];
  const reader = new FrameReader(maxBytes, (type, bytes, at, end) => {
    frames.push({ type, payload: Buffer.from(bytes.subarray(at, end)) });
  });
  for (const piece of pieces) reader.push(piece);
  return frames;
}

/** A reader over a frame's payload. */
export function readerOf({ payload }: SeenFrame): ByteReader {
  return new ByteReader().over(payload, 0, payload.length);
}
