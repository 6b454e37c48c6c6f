import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readEnvelope, writeEnvelope } from "../../../src/codecs/go-micro-envelope.ts";
import { copyHeader } from "../../../src/message.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);
const text = (body: Uint8Array) => Buffer.from(body).toString("utf8");

/** Header maps that `publish` lets through: any well-formed names but the empty one, any well-formed values. */
const headers = fc
  .array(
    fc.tuple(
      fc.oneof(
        fc.string({ unit: "binary", minLength: 1 }),
        fc.constantFrom("__proto__", "constructor", "toString", "Micro-Topic", "0", "10", "9"),
      ),
      fc.string({ unit: "binary" }),
    ),
    { maxLength: 8 },
  )
  .map((pairs) => {
    const map: Record<string, string> = Object.create(null);
    for (const [name, value] of pairs) map[name] = value;
    return copyHeader(map).header;
  });

describe("what go-micro writes", () => {
  test.each([
    [
      "names sorted, HTML escaped",
      { b: "2", A: "1<&>" },
      "hello",
      '{"Header":{"A":"1\\u003c\\u0026\\u003e","b":"2"},"Body":"aGVsbG8="}',
    ],
    ["an empty map and an empty body", {}, "", '{"Header":{},"Body":""}'],
    [
      "the captured request",
      { "Content-Type": "application/json", Foo: "bar", "Micro-Topic": "t.x" },
      '{"a":1}',
      '{"Header":{"Content-Type":"application/json","Foo":"bar","Micro-Topic":"t.x"},"Body":"eyJhIjoxfQ=="}',
    ],
    ["the line separators of JavaScript", { a: "\u2028\u2029" }, "", '{"Header":{"a":"\\u2028\\u2029"},"Body":""}'],
    [
      "control characters",
      { a: '\u0000\b\t\n\f\r\u001f\u007f"\\/' },
      "",
      '{"Header":{"a":"\\u0000\\b\\t\\n\\f\\r\\u001f\u007f\\"\\\\/"},"Body":""}',
    ],
    [
      "beyond the basic plane, in the order of bytes",
      { "\u{1f600}": "2", "\uff5e": "1" },
      "",
      '{"Header":{"\uff5e":"1","\u{1f600}":"2"},"Body":""}',
    ],
  ] as const)("%s", (_name, header, body, json) => {
    expect(writeEnvelope(header, Buffer.from(body))).toBe(json);
  });

  test("bytes that are no text", () => {
    expect(writeEnvelope({}, bytes(0, 1, 0xff, 0xfe))).toBe('{"Header":{},"Body":"AAH//g=="}');
  });

  test("the captured service message of version 6 reads as it was written", () => {
    const json =
      '{"Header":{"Content-Type":"application/json","Foo":"bar","Micro-ID":"437ec7e3","Micro-Topic":"ev.topic","x-request-id":"r1"},' +
      '"Body":"eyJpZCI6ImFcdTAwM2NiIiwiTiI6OTAwNzE5OTI1NDc0MDk5MywiQiI6IkFRST0iLCJ0IjoiMTk3MC0wMS0wMVQwMDowMDowMFoifQo="}';
    const { header, body } = readEnvelope(json);
    expect(text(body)).toBe('{"id":"a\\u003cb","N":9007199254740993,"B":"AQI=","t":"1970-01-01T00:00:00Z"}\n');
    expect(writeEnvelope(header, body)).toBe(json);
  });
});

describe("what Go accepts is read", () => {
  test.each([
    ["lower case keys", '{"header":{"a":"1"},"body":"aGk="}', { a: "1" }, "hi"],
    ["upper case keys", '{"HEADER":{"a":"1"},"BODY":"aGk="}', { a: "1" }, "hi"],
    ["all null", '{"Header":null,"Body":null}', {}, ""],
    ["an empty object", "{}", {}, ""],
    ["unknown keys and whitespace", ' \n{"X":[{}],"Header":{"a":"1"},"Body":"aGk="}\t\r\n', { a: "1" }, "hi"],
    ["line breaks within base64", '{"Body":"aG\\r\\nk=\\n"}', {}, "hi"],
    ["a body of numbers", '{"Body":[104,105]}', {}, "hi"],
    ["no numbers", '{"Body":[]}', {}, ""],
    ["a null header value", '{"Header":{"a":null}}', { a: "" }, ""],
    [
      "keys twice in another case: header maps merge, the last body wins",
      '{"Header":{"a":"1","b":"1"},"header":{"b":"2"},"Body":"aGk=","body":"aG8="}',
      { a: "1", b: "2" },
      "ho",
    ],
    ["half a surrogate pair in a value", '{"Header":{"a":"\\ud800"}}', { a: "\ufffd" }, ""],
    ["half a surrogate pair in a name", '{"Header":{"a\\ud800":"1"}}', { "a\ufffd": "1" }, ""],
  ])("%s", (_name, json, header, body) => {
    const read = readEnvelope(json);
    expect({ ...read.header }).toEqual(header);
    expect(text(read.body)).toBe(body);
  });
});

describe("what Go refuses is refused", () => {
  test.each([
    ["nothing", ""],
    ["an array", "[]"],
    ["a string", '"x"'],
    ["null, at which Go panics", "null"],
    ["a byte order mark", '\ufeff{"Header":{}}'],
    ["text behind it", '{"Header":{}} x'],
    ["half of it", '{"Header":{"a":"1"'],
    ["a number as a header value", '{"Header":{"a":1}}'],
    ["a boolean as a header value", '{"Header":{"a":true}}'],
    ["a list as the header", '{"Header":[]}'],
    ["a string as the header", '{"Header":"a"}'],
    ["base64 without padding", '{"Body":"aGk"}'],
    ["base64 of URLs", '{"Body":"_-8="}'],
    ["padding in the middle", '{"Body":"aG=k"}'],
    ["only padding", '{"Body":"===="}'],
    ["base64 with spaces", '{"Body":"aG k="}'],
    ["numbers that are no bytes", '{"Body":[256]}'],
    ["negative numbers", '{"Body":[-1]}'],
    ["fractions", '{"Body":[1.5]}'],
    ["an object as the body", '{"Body":{}}'],
    ["a number as the body", '{"Body":1}'],
  ])("%s", (_name, json) => {
    expect(() => readEnvelope(json)).toThrow();
  });
});

describe("any message", () => {
  test("comes back as it was, with no prototype", () => {
    fc.assert(
      fc.property(headers, fc.uint8Array({ maxLength: 300 }), (header, body) => {
        const read = readEnvelope(writeEnvelope(header, body));
        expect(Object.getPrototypeOf(read.header)).toBeNull();
        expect(Object.entries(read.header).sort()).toEqual(Object.entries(header).sort());
        expect(Buffer.compare(Buffer.from(read.body), Buffer.from(body))).toBe(0);
      }),
    );
  });

  test("is written with the header names in the order of their UTF-8 bytes", () => {
    fc.assert(
      fc.property(headers, (header) => {
        const written = writeEnvelope(header, new Uint8Array());
        const order = Object.keys(header).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        const places = order.map((name) =>
          written.indexOf(
            `${JSON.stringify(name).replace(/[<>&\u2028\u2029]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`)}:"`,
          ),
        );
        expect(places).not.toContain(-1);
        const namesOnly = [...written.matchAll(/"((?:[^"\\]|\\.)*)":"/g)].map(([, name]) => JSON.parse(`"${name}"`));
        expect(namesOnly.filter((name) => name !== "Body" || name in header).slice(0, order.length)).toEqual(order);
      }),
    );
  });

  test("is written from any view of its bytes", () => {
    const whole = Buffer.from("xxhelloxx");
    expect(readEnvelope(writeEnvelope({}, whole.subarray(2, 7))).body).toEqual(Buffer.from("hello"));
  });

  test("throws nothing but an Error for any text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json()), (json) => {
        try {
          readEnvelope(json);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });
});
