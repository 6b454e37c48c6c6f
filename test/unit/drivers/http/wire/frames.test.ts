import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RemoteMessage } from "../../../../../src/drivers/http/remote-delivery.ts";
import { ByteReader } from "../../../../../src/drivers/http/wire/byte-reader.ts";
import { FrameReader } from "../../../../../src/drivers/http/wire/frame-reader.ts";
import { FrameWriter } from "../../../../../src/drivers/http/wire/frame-writer.ts";
import { FRAME, MAX_LISTED, MAX_TOPICS, WireError } from "../../../../../src/drivers/http/wire/frames.ts";
import { eachListed } from "../../../../../src/drivers/http/wire/number-list.ts";
import { readSettled, writeSettled } from "../../../../../src/drivers/http/wire/outcome-frame.ts";
import { readAnnouncement, writeAnnouncement } from "../../../../../src/drivers/http/wire/subscribe-frame.ts";
import {
  anyAnnouncement,
  anyMessage,
  anyNumber,
  anySettled,
  anyStream,
  anyText,
  cutUp,
  framesOf,
  readerOf,
  type SeenFrame,
  writeMessage,
} from "./streams.ts";

/** Writes something, and returns the frames that came of it. */
function written(write: (writer: FrameWriter) => void): SeenFrame[] {
  const writer = new FrameWriter();
  write(writer);
  return framesOf([Buffer.concat(writer.peek())]);
}

describe("what is written is read", () => {
  test("numbers", () => {
    fc.assert(
      fc.property(anyNumber, anyNumber, (first, second) => {
        const [frame] = written((writer) => writer.numbers(FRAME.grant, first, second));
        const reader = readerOf(frame as SeenFrame);
        expect([frame?.type, reader.number(), reader.number()]).toEqual([FRAME.grant, first, second]);
        reader.done();
      }),
      { numRuns: 1_000 },
    );
  });

  test("text", () => {
    fc.assert(
      fc.property(anyText, anyText, (first, second) => {
        const [frame] = written((writer) => {
          writer.begin(FRAME.call, 20 + (first.length + second.length) * 3);
          writer.text(first);
          writer.restText(second);
          writer.finish();
        });
        const reader = readerOf(frame as SeenFrame);
        expect([reader.text(), reader.restText()]).toEqual([first, second]);
      }),
      { numRuns: 1_000 },
    );
  });

  test("lists of numbers, in any order", () => {
    const numbers = fc.oneof(
      // Their distances are written doubled, so that they go half as far.
      fc.array(
        anyNumber.map((number) => Math.floor(number / 2)),
        { maxLength: 40 },
      ),
      fc.array(fc.nat({ max: 60 }), { maxLength: 200 }),
      fc
        .tuple(fc.nat(), fc.nat({ max: MAX_LISTED - 1 }))
        .map(([first, more]) => Array.from({ length: more + 1 }, (_one, index) => first + index)),
    );
    fc.assert(
      fc.property(numbers, (list) => {
        const [frame] = written((writer) => writer.ranges(FRAME.done, list, 0, list.length));
        const read: number[] = [];
        eachListed(readerOf(frame as SeenFrame), (number) => read.push(number));
        expect(read).toEqual(list);
      }),
      { numRuns: 1_000 },
    );
  });

  test("outcomes", () => {
    fc.assert(
      fc.property(anySettled, (settled) => {
        const [frame] = written((writer) => writeSettled(writer, settled));
        expect(readSettled(readerOf(frame as SeenFrame))).toEqual(settled);
      }),
      { numRuns: 1_000 },
    );
  });

  test("subscriptions", () => {
    fc.assert(
      fc.property(anyAnnouncement, (announcement) => {
        const [frame] = written((writer) => writeAnnouncement(writer, announcement));
        expect(readAnnouncement(readerOf(frame as SeenFrame))).toEqual(announcement);
      }),
    );
  });

  test("messages, and their topics once", () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { minLength: 1, maxLength: 6 }), (messages) => {
        const frames = written((writer) => {
          for (const message of messages) writeMessage(writer, message);
        });
        const topics = new Map<number, string>();
        const read = frames.flatMap((frame) => {
          const reader = readerOf(frame);
          if (frame.type === FRAME.topic) {
            topics.set(reader.number(), reader.restText());
            return [];
          }
          const [number, subscription] = [reader.number(), reader.number()];
          const { topic, id, key, header, body, attempt, firstFailureAt } = new RemoteMessage(
            topics.get(reader.number()) ?? "",
            reader,
          );
          const own = { ...header };
          return [
            { number, subscription, topic, id, key, header: own, body: new Uint8Array(body), attempt, firstFailureAt },
          ];
        });
        expect(read).toEqual(messages);
        expect(frames.length - messages.length).toBe(new Set(messages.map(({ topic }) => topic)).size);
      }),
      { numRuns: 500 },
    );
  });

  test("a header without a prototype, whatever its names are", () => {
    const header = JSON.parse('{"__proto__":"1","constructor":"2"}') as Record<string, string>;
    const message = { number: 1, subscription: 0, topic: "a", id: "i", key: undefined, header, body: new Uint8Array() };
    const frames = written((writer) => writeMessage(writer, { ...message, attempt: 1, firstFailureAt: undefined }));
    const reader = readerOf(frames[1] as SeenFrame);
    for (let skipped = 0; skipped < 3; skipped += 1) reader.number();
    const read = new RemoteMessage("a", reader).header;
    expect(Object.getPrototypeOf(read)).toBeNull();
    expect(Object.entries(read)).toEqual([
      ["__proto__", "1"],
      ["constructor", "2"],
    ]);
  });
});

describe("topics", () => {
  test("are told again when their number was given to another", () => {
    const frames = written((writer) => {
      const send = (topic: string) =>
        writer.message(
          1,
          0,
          { topic, id: "i", key: undefined, header: {}, body: new Uint8Array(), bytes: 0 },
          1,
          undefined,
        );
      for (let n = 0; n <= MAX_TOPICS; n += 1) send(`t.${n}`);
      send("t.1");
      send("t.0");
    });
    const told = frames
      .filter(({ type }) => type === FRAME.topic)
      .map((frame) => {
        const reader = readerOf(frame);
        return [reader.number(), reader.restText()];
      });
    expect(told.length).toBe(MAX_TOPICS + 2);
    expect(told.slice(-2)).toEqual([
      [0, `t.${MAX_TOPICS}`],
      [1, "t.0"],
    ]);
  });
});

describe("a stream of bytes", () => {
  test("gives the same frames in whatever pieces it comes", () => {
    fc.assert(
      fc.property(anyStream, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }), (bytes, cuts) => {
        expect(framesOf(cutUp(bytes, cuts))).toEqual(framesOf([bytes]));
      }),
      { numRuns: 1_000 },
    );
  });

  test("gives the same frames byte by byte", () => {
    fc.assert(
      fc.property(anyStream, (bytes) => {
        expect(framesOf([...bytes].map((byte) => Buffer.of(byte)))).toEqual(framesOf([bytes]));
      }),
      { numRuns: 100 },
    );
  });

  test("with a frame longer than allowed ends there, before the frame has come", () => {
    expect(() => framesOf([Buffer.of(101, 0, 0, 0)], 100)).toThrow(WireError);
    expect(() => framesOf([Buffer.of(0xff, 0xff, 0xff, 0xff, 1)])).toThrow(WireError);
    expect(() => framesOf([Buffer.of(0, 0), Buffer.of(0, 0)])).toThrow(WireError);
    expect(framesOf([Buffer.concat([Buffer.of(100, 0, 0, 0), Buffer.alloc(100)])], 100)).toHaveLength(1);
  });
});

describe("a malformed frame is a WireError:", () => {
  const reader = (...bytes: number[]) => new ByteReader().over(Buffer.from(bytes), 0, bytes.length);

  test.each<[string, () => unknown]>([
    ["nothing", () => reader().number()],
    ["a number without an end", () => reader(0xff, 0xff).number()],
    ["a number beyond 2^53", () => reader(...new Array(8).fill(0xff), 0x7f).number()],
    ["an endless number", () => reader(...new Array(60).fill(0x80), 1).number()],
    ["a text beyond its frame", () => reader(5, 0x61).text()],
    ["a text as long as the world", () => reader(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x61).text()],
    ["half a time", () => reader(0, 0, 0).time()],
    ["more than it holds", () => reader(1, 2).done()],
    ["a list of more than it may", () => eachListed(reader(0, 0xff, 0xff, 0xff, 0x7f), () => {})],
    ["a list of negative numbers", () => eachListed(reader(3, 0), () => {})],
    ["an outcome that is none", () => readSettled(reader(1, 0, 9))],
    ["a retry at no attempt", () => readSettled(reader(1, 0, 2, ...new Array(17).fill(0)))],
    ["a message without an id", () => new RemoteMessage("a", reader(0))],
    ["a message with a header that does not end", () => new RemoteMessage("a", reader(4, 1, 0x69, 200, 1, 0))],
    [
      "a message that failed at attempt 0",
      () => new RemoteMessage("a", reader(2, 1, 0x69, 0, ...new Array(8).fill(0))),
    ],
  ])("%s", (_name, read) => {
    expect(read).toThrow(WireError);
  });
});

describe("large bodies", () => {
  const sizes = fc.constantFrom(0, 1, 16_383, 16_384, 70_000);
  const body = (size: number) => Buffer.from(Array.from({ length: size }, (_one, index) => (index * 7 + size) & 0xff));

  test("go out between others from where they lie, and come in whatever pieces", () => {
    fc.assert(
      fc.property(
        fc.array(sizes, { minLength: 1, maxLength: 5 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true })),
        (chosen, cuts) => {
          const writer = new FrameWriter();
          const bodies = chosen.map(body);
          for (const [number, one] of bodies.entries()) writeMessage(writer, { ...plain, number, body: one });
          const parts = writer.peek();
          expect(bodies.filter((one) => one.length >= 16_384).every((one) => parts.includes(one))).toBe(true);
          expect(parts.reduce((sum, { length }) => sum + length, 0)).toBe(writer.size);
          const frames = framesOf(cutUp(Buffer.concat(parts), cuts)).filter(({ type }) => type === FRAME.message);
          const read = frames.map((frame) => {
            const reader = readerOf(frame);
            const number = reader.number();
            for (let skipped = 0; skipped < 2; skipped += 1) reader.number();
            return bodies[number]?.equals(new RemoteMessage("a", reader).body);
          });
          expect(read).toEqual(bodies.map(() => true));
          writer.reuse(false);
          expect([writer.size, Buffer.concat(writer.peek()).length]).toEqual([0, 0]);
        },
      ),
      { numRuns: 100 },
    );
  });

  /** A large message that came in pieces, each in memory of its own of so many bytes at least. */
  function inPieces(pieceBytes: number): RemoteMessage {
    const writer = new FrameWriter();
    writeMessage(writer, { ...plain, number: 1, key: "k", header: { a: "1" }, body: body(70_000) });
    let message: RemoteMessage | undefined;
    const frames = new FrameReader(1_000_000, (type, bytes, at, end, pieces) => {
      const reader = new ByteReader().over(bytes, at, end, pieces);
      if (type !== FRAME.message) return;
      for (let skipped = 0; skipped < 3; skipped += 1) reader.number();
      message = new RemoteMessage("a", reader);
    });
    for (const piece of cutUp(Buffer.concat(writer.peek()), [0.2, 0.6])) {
      const memory = Buffer.alloc(Math.max(pieceBytes, piece.length));
      piece.copy(memory);
      frames.push(memory.subarray(0, piece.length));
    }
    if (message === undefined) throw new Error("no message came");
    return message;
  }

  test.each([
    ["and its pieces hold little else", 1],
    ["and its pieces hold much else", 1_000_000],
  ])("are a handler's own where they were put together, %s: the message is as it was all the same", (_name, size) => {
    const message = inPieces(size);
    const [first, second] = [message.ownBody(), message.ownBody()];
    expect(body(70_000).equals(first)).toBe(true);
    first.fill(0);
    structuredClone(first.buffer, { transfer: [first.buffer as ArrayBuffer] });
    message.detach();
    expect([message.id, message.key, { ...message.header }]).toEqual(["i", "k", { a: "1" }]);
    expect([message.body, second, message.ownBody()].map((one) => body(70_000).equals(one))).toEqual([
      true,
      true,
      true,
    ]);
  });

  test("in very many pieces come without them", () => {
    const writer = new FrameWriter();
    writeMessage(writer, { ...plain, number: 1, body: body(70_000) });
    const bytes = Buffer.concat(writer.peek());
    const cameWithPieces = (pieceBytes: number) => {
      let found: boolean | undefined;
      const frames = new FrameReader(1_000_000, (type, _bytes, _at, _end, pieces) => {
        if (type === FRAME.message) found = pieces !== undefined;
      });
      for (let at = 0; at < bytes.length; at += pieceBytes) frames.push(bytes.subarray(at, at + pieceBytes));
      return found;
    };
    expect([cameWithPieces(10_000), cameWithPieces(10)]).toEqual([true, false]);
  });

  test("that stay before a handler has them do not keep their pieces", () => {
    const message = inPieces(1_000_000);
    message.detach();
    const own = message.ownBody();
    own.fill(0);
    expect(body(70_000).equals(message.body)).toBe(true);
  });

  const plain = {
    subscription: 0,
    topic: "a",
    id: "i",
    key: undefined,
    header: {},
    attempt: 1,
    firstFailureAt: undefined,
  };
});

describe("a message in a chunk", () => {
  test("that it fills little of is copied out when it stays, and is the same then", () => {
    const message = {
      number: 1,
      subscription: 0,
      topic: "a",
      id: "i",
      key: "k",
      header: { a: "1" },
      body: Buffer.from("x"),
    };
    const writer = new FrameWriter();
    writeMessage(writer, { ...message, attempt: 1, firstFailureAt: undefined });
    const chunk = Buffer.concat([...writer.peek(), Buffer.alloc(60_000)]);
    const at = chunk.readUInt32LE(0) + 4;
    const reader = new ByteReader().over(chunk, at + 5, at + 4 + chunk.readUInt32LE(at));
    for (let skipped = 0; skipped < 3; skipped += 1) reader.number();
    const read = new RemoteMessage("a", reader);
    read.detach();
    expect(read.body.buffer.byteLength).toBeLessThan(100);
    chunk.fill(0);
    expect([read.id, read.key, { ...read.header }, Buffer.from(read.body).toString()]).toEqual([
      "i",
      "k",
      { a: "1" },
      "x",
    ]);
  });
});
