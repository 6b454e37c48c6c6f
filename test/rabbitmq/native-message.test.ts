import type { Message } from "amqplib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decode, encode, type NativeMessage } from "../../src/drivers/rabbitmq/native-message.ts";

const name = fc.oneof(
  fc.constantFrom(
    "__proto__",
    "constructor",
    "CC",
    "BCC",
    "x-death",
    "x-delivery-count",
    "tidings-key",
    "X-Id",
    "a b",
    "é",
  ),
  fc.string({ minLength: 1, maxLength: 300, unit: "grapheme" }),
);
const header = fc
  .array(fc.tuple(name, fc.string({ unit: "grapheme", maxLength: 200 })), { maxLength: 30 })
  .map((pairs) => {
    const map: Record<string, string> = Object.create(null);
    for (const [key, value] of pairs) if (key.isWellFormed() && value.isWellFormed()) map[key] = value;
    return map;
  });

function content(given: Record<string, string>, body: Uint8Array, id = "id", key: string | undefined = undefined) {
  return { topic: "a.#.b", id, key, header: given, body, origin: undefined, attempt: 1, firstFailureAt: undefined };
}

/** What arrives of a message when nothing is changed on its way. */
function arrived({ content: bytes, headers, options }: NativeMessage, routingKey = "a.%#.b"): Message {
  return {
    content: bytes,
    fields: { routingKey },
    properties: { headers, messageId: options.messageId, timestamp: options.timestamp },
  } as unknown as Message;
}

describe("a message", () => {
  test("arrives with every header and byte", () => {
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 64 }), (given, body) => {
        const received = decode(arrived(encode(content(given, body), false)));
        expect({ ...received.header }).toEqual({ ...given });
        expect(Buffer.from(received.body).equals(body)).toBe(true);
        expect([received.topic, received.id, received.attempt, received.broken]).toEqual(["a.#.b", "id", 1, undefined]);
      }),
    );
  });

  test("arrives with headers that no header table can hold", () => {
    const given = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`x-${index}`, "é".repeat(4_000)]));
    const native = encode(content(given, Buffer.from("body")), false);
    expect(JSON.stringify(native.headers).length).toBeLessThan(1_000);
    const received = decode(arrived(native));
    expect({ ...received.header }).toEqual(given);
    expect(Buffer.from(received.body).toString()).toBe("body");
  });

  test("arrives with an id and a key of 256 bytes", () => {
    const [id, key] = ["i".repeat(256), "k".repeat(256)];
    const received = decode(arrived(encode(content({}, Buffer.alloc(0), id, key), false)));
    expect([received.id, received.key]).toEqual([id, key]);
  });

  test("of another program has an id that stays the same, and its own headers as strings", () => {
    const foreign = {
      content: Buffer.from("x"),
      fields: { routingKey: "a.b" },
      properties: { headers: { "x-n": 7, "x-s": "s", "x-death": [] } },
    } as unknown as Message;
    const [one, two] = [decode(foreign), decode(foreign)];
    expect(one.id).toBe(two.id);
    expect({ ...one.header }).toEqual({ "x-n": "7", "x-s": "s" });
    expect([one.topic, one.attempt, one.broken]).toEqual(["a.b", 1, undefined]);
  });

  test.each([
    ["a header that is not JSON", { "tidings-header": "{" }],
    ["a header that is no list", { "tidings-header": "{}" }],
    ["a header of other things", { "tidings-header": "[[1,2]]" }],
    ["a header in front of the body that is cut off", { "tidings-prefix-bytes": 100 }],
    ["an origin that is not JSON", { "tidings-origin": "?" }],
    ["an origin that is nothing", { "tidings-origin": "null" }],
    ["an origin that is no subscription", { "tidings-origin": '{"pattern":5,"queue":7}' }],
  ])("with %s is broken, and keeps its body", (_what, headers) => {
    const received = decode({
      content: Buffer.from("x"),
      fields: { routingKey: "a" },
      properties: { headers },
    } as unknown as Message);
    expect(received.broken).toMatch(/cannot be read/);
    expect(Buffer.from(received.body).toString()).toBe("x");
  });
});
