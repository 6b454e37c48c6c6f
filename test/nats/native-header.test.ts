import * as client from "@nats-io/transport-node";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  asciiJson,
  decodeHeader,
  decodeReceived,
  NATIVE_HEADERS,
  nativeBytes,
  writeHeaders,
} from "../../src/drivers/nats/native-header.ts";

const text = fc.string({ unit: "binary" });
const name = fc.string({ unit: "binary", minLength: 1 });
const tag = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });

/** As the message goes over the wire: lines of text, of which the client trims the values. */
function overTheWire(native: client.MsgHdrs): client.MsgHdrs {
  const lines = native.toString().split("\r\n").slice(1, -2);
  const arrived = client.headers();
  for (const line of lines) arrived.append(line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim());
  return arrived;
}

/** A message as the client makes it: headers and body stand side by side, behind what was received before them. */
function received(block: Uint8Array, body: Uint8Array): client.Msg {
  const before = Buffer.from("HMSG t 1 ");
  const bytes = Buffer.concat([before, block, body]);
  const data = bytes.subarray(before.length + block.length);
  const message = {
    subject: "t",
    data,
    get headers() {
      return block.length === 0 ? undefined : client.MsgHdrsImpl.decode(block);
    },
    size: () => "t".length + block.length + body.length,
  };
  return message as unknown as client.Msg;
}

describe("native headers", () => {
  test("carry every header, id and key exactly, in printable ASCII", () => {
    const header = fc.dictionary(name, text).map((map) => Object.assign(Object.create(null), map));
    fc.assert(
      fc.property(header, tag, fc.option(tag, { nil: undefined }), (given, id, key) => {
        const native = writeHeaders({ id, key, header: given, origin: undefined }, "publish-1");
        expect(native.toString()).toMatch(/^[\r\n -~]*$/);
        expect(nativeBytes(native)).toBe(native.toString().length);
        const read = decodeHeader({ headers: overTheWire(native) });
        expect([read.id, read.key, read.origin, read.broken]).toEqual([id, key, undefined, undefined]);
        expect(Object.entries(read.header)).toEqual(Object.entries(given));
        expect(Object.getPrototypeOf(read.header)).toBe(null);
      }),
    );
  });

  test("carry where a dead letter failed beside the header, not in it", () => {
    const origin = { pattern: "o.*", queue: "bill☺ing", subscriptionId: undefined };
    const native = writeHeaders({ id: "1", key: undefined, header: Object.create(null), origin });
    const read = decodeHeader({ headers: overTheWire(native) });
    expect([read.origin, { ...read.header }]).toEqual([{ pattern: "o.*", queue: "bill☺ing" }, {}]);
  });

  test("keep names that mean something elsewhere", () => {
    const header = JSON.parse('{"__proto__":"a","constructor":"b"," x ":" y "}');
    const read = decodeHeader({
      headers: overTheWire(writeHeaders({ id: "1", key: undefined, header, origin: undefined })),
    });
    expect(Object.entries(read.header)).toEqual(Object.entries(header));
  });

  test("that cannot be read are said to be broken", () => {
    for (const value of ["{", "[1]", '"x"', '{"a":1}', "null"]) {
      const native = client.headers();
      native.set(NATIVE_HEADERS.header, value);
      expect(decodeHeader({ headers: native }).broken).toMatch(/cannot be read/);
    }
    const native = client.headers();
    native.set(NATIVE_HEADERS.id, "%E0%A4%A");
    expect(decodeHeader({ headers: native }).broken).toMatch(/cannot be read/);
  });

  test("are none on a message that another client published", () => {
    expect(decodeHeader({})).toEqual({
      id: undefined,
      key: undefined,
      header: Object.create(null),
      origin: undefined,
    });
  });

  test("are JSON in ASCII", () => {
    expect(asciiJson({ "☺": "\u007f𝒳" })).toBe('{"\\u263a":"\\u007f\\ud835\\udcb3"}');
  });

  test("are written as the client would write them", () => {
    const header = fc.dictionary(name, text).map((map) => Object.assign(Object.create(null), map));
    fc.assert(
      fc.property(header, tag, fc.option(tag, { nil: undefined }), (given, id, key) => {
        const native = writeHeaders({ id, key, header: given, origin: undefined }, "publish-1") as client.MsgHdrsImpl;
        const theirs = client.headers() as client.MsgHdrsImpl;
        for (const [one, [value = ""]] of client.MsgHdrsImpl.decode(native.encode())) theirs.append(one, value);
        expect(Buffer.from(native.encode())).toEqual(Buffer.from(theirs.encode()));
        if (Object.keys(given).length > 0) expect(theirs.get(NATIVE_HEADERS.header)).toBe(asciiJson(given));
      }),
    );
  });

  test("of a received message are the ones that its client would read, whoever wrote them", () => {
    const known = fc.constantFrom(...Object.values(NATIVE_HEADERS), "Other", "tidings-id");
    const value = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(" x ", '{"a":"b"}', "☺", "%41", "%", ""));
    const lines = fc.array(fc.tuple(known, fc.constantFrom(":", ": "), value), { maxLength: 6 });
    const first = fc.constantFrom("NATS/1.0", "NATS/1.0 503", "NATS/1.1", "");
    const foreign = fc
      .tuple(first, lines)
      .map(([head, rest]) => Buffer.from([head, ...rest.map((parts) => parts.join("")), "", ""].join("\r\n")));
    const ours = fc.tuple(tag, fc.option(tag, { nil: undefined }), fc.dictionary(name, text)).map(([id, key, map]) => {
      const native = writeHeaders({ id, key, header: Object.assign(Object.create(null), map), origin: undefined });
      return Buffer.from((native as client.MsgHdrsImpl).encode());
    });
    const addressed = fc.oneof(fc.constant("t".length), fc.integer({ min: 0, max: 9 }));
    const block = fc.oneof(ours, foreign, fc.constant(Buffer.alloc(0)));
    fc.assert(
      fc.property(block, fc.uint8Array(), addressed, (given, body, addressBytes) => {
        const message = received(given, body);
        const { broken, ...read } = decodeReceived(message, message.data, addressBytes);
        const { broken: theirs, ...expected } = decodeHeader(message);
        expect([read, broken === undefined]).toEqual([expected, theirs === undefined]);
      }),
      { numRuns: 500 },
    );
  });

  test("are read without the client where Tidings wrote them", () => {
    const native = writeHeaders({ id: "1", key: "k☺", header: { a: "b" }, origin: undefined }, "publish-1");
    const { headers: _theirs, ...message } = received(
      (native as client.MsgHdrsImpl).encode(),
      Buffer.from("body"),
    ) as client.Msg & { headers: unknown };
    const read = decodeReceived(message as client.Msg, message.data, "t".length);
    expect([read.id, read.key, { ...read.header }]).toEqual(["1", "k☺", { a: "b" }]);
  });
});
