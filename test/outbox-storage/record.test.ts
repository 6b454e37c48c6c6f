import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  decodeJson,
  decodeMessage,
  encodeJson,
  encodeMessage,
  idOfKey,
  isSound,
  KIND,
  messageKey,
  nameKey,
  nameOfKey,
  noteKey,
  type StoredMessage,
} from "../../src/outbox/storage/record.ts";
import { WEIRD_STRINGS } from "../../src/testing/conformance/weird-strings.ts";

const lanesOf = (message: StoredMessage) => message.lanes.map((id) => ({ id }));

function message(more: Partial<StoredMessage> = {}): StoredMessage {
  return {
    topic: "orders.created",
    id: "id-1",
    key: undefined,
    header: Object.freeze(Object.create(null)),
    body: Buffer.from("body"),
    bytes: 4,
    origin: undefined,
    publishedAt: 1_795_000_000_123,
    lanes: [],
    ...more,
  };
}

function header(pairs: readonly (readonly [string, string])[]): Record<string, string> {
  const map: Record<string, string> = Object.create(null);
  for (const [name, value] of pairs) map[name] = value;
  return map;
}

function roundTrip(one: StoredMessage): StoredMessage | undefined {
  const key = messageKey(7);
  const value = encodeMessage(key, one, lanesOf(one));
  expect(isSound(key, value)).toBe(true);
  return decodeMessage(value);
}

describe("a message's record", () => {
  test("gives back exactly what went in", () => {
    const bodies = [Buffer.alloc(0), Buffer.from([0]), randomBytes(300), Buffer.from("\n \u0000{}", "utf8")];
    for (const [index, text] of Object.values(WEIRD_STRINGS).entries()) {
      const one = message({
        topic: `t.${text}`,
        id: `${text}!`,
        key: index % 2 === 0 ? undefined : text,
        header: header([
          [`name${text}`, text],
          ["__proto__", text],
          ["empty", ""],
        ]),
        body: bodies[index % bodies.length] as Buffer,
        lanes: [`queue\u0000a.>\u0000${text}`, "standing\u0000dlq.x", "s-1"].slice(0, index % 4),
        origin:
          index % 3 === 0
            ? undefined
            : { pattern: "a.>", queue: index % 3 === 1 ? text : undefined, subscriptionId: "s" },
      });
      const back = roundTrip(one);
      expect(back).toEqual({ ...one, body: Buffer.from(one.body) });
      expect(Object.getPrototypeOf(back?.header)).toBe(null);
    }
  });

  test("tells an empty key from none", () => {
    expect(roundTrip(message({ key: "" }))?.key).toBe("");
    expect(roundTrip(message())?.key).toBe(undefined);
  });

  test("with any bit turned is not sound, nor under another key", () => {
    const key = messageKey(1);
    const value = encodeMessage(key, message(), [{ id: "lane" }]);
    for (let bit = 0; bit < value.byteLength * 8; bit += 1) {
      const turned = Buffer.from(value);
      turned[bit >> 3] = (turned[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(isSound(key, turned)).toBe(false);
    }
    expect(isSound(messageKey(2), value)).toBe(false);
    expect(isSound(key, value.subarray(0, 3))).toBe(false);
    expect(isSound(key, value.subarray(0, -1))).toBe(false);
  });
});

describe("keys", () => {
  test("sort as the ids do, beyond 32 bits too", () => {
    const ids = [1, 2, 255, 256, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 3, 2 ** 52 + 1];
    const keys = ids.map((id) => messageKey(id));
    expect([...keys].sort(Buffer.compare)).toEqual(keys);
    expect(keys.map(idOfKey)).toEqual(ids);
  });

  test("hold ids and names", () => {
    const lane = "queue\u0000a.>\u0000ü";
    expect([idOfKey(noteKey(2 ** 33, lane)), nameOfKey(noteKey(2 ** 33, lane))]).toEqual([2 ** 33, lane]);
    expect(nameOfKey(nameKey(KIND.queue, lane))).toBe(lane);
  });
});

test("a record of JSON gives back what went in, and of rubbish an empty object", () => {
  const key = noteKey(1, "lane");
  const note = { attempt: 3, firstFailureAt: 5, dueAt: 7, inHand: true };
  const value = encodeJson(key, note);
  expect(isSound(key, value)).toBe(true);
  expect(decodeJson(value)).toEqual(note);
  expect(decodeJson(Buffer.from("....rubbish"))).toEqual({});
});
