import * as client from "@nats-io/transport-node";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  asciiJson,
  decodeHeader,
  encodeHeader,
  NATIVE_HEADERS,
  nativeBytes,
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

describe("native headers", () => {
  test("carry every header, id and key exactly, in printable ASCII", () => {
    const header = fc.dictionary(name, text).map((map) => Object.assign(Object.create(null), map));
    fc.assert(
      fc.property(header, tag, fc.option(tag, { nil: undefined }), (given, id, key) => {
        const native = encodeHeader(client, { id, key, header: given, origin: undefined }, "publish-1");
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
    const native = encodeHeader(client, { id: "1", key: undefined, header: Object.create(null), origin });
    const read = decodeHeader({ headers: overTheWire(native) });
    expect([read.origin, { ...read.header }]).toEqual([{ pattern: "o.*", queue: "bill☺ing" }, {}]);
  });

  test("keep names that mean something elsewhere", () => {
    const header = JSON.parse('{"__proto__":"a","constructor":"b"," x ":" y "}');
    const read = decodeHeader({
      headers: overTheWire(encodeHeader(client, { id: "1", key: undefined, header, origin: undefined })),
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
});
