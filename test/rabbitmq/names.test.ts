import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bindingKey, Names, routingKey, topicOfRoutingKey } from "../../src/drivers/rabbitmq/names.ts";
import { matchesTopic } from "../../src/topics.ts";

const word = fc.oneof(
  fc.constantFrom("#", "%#", "%%#", "##", "%", "a", "b", "dlq", "été", "a*b", "a>b", "**"),
  fc
    .string({ minLength: 1, maxLength: 4, unit: "grapheme" })
    .map((text) => text.replace(/[.\p{Cc}]|^[*>]$/gu, "x") || "x"),
);
const topic = fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join("."));
const pattern = fc
  .tuple(fc.array(fc.oneof(word, fc.constant("*")), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([words, tail]) => [...words, ...(tail ? [">"] : [])].join("."));

/** What RabbitMQ's topic exchange does. */
function binds(key: readonly string[], topicWords: readonly string[]): boolean {
  const [first, ...rest] = key;
  if (first === undefined) return topicWords.length === 0;
  if (first === "#") return topicWords.some((_, index) => binds(rest, topicWords.slice(index))) || binds(rest, []);
  return topicWords.length > 0 && (first === "*" || first === topicWords[0]) && binds(rest, topicWords.slice(1));
}

describe("routing keys", () => {
  test("stand for their topics one-to-one", () => {
    fc.assert(fc.property(topic, (text) => topicOfRoutingKey(routingKey(text)) === text));
  });

  test("never hold RabbitMQ's wildcard as a word", () => {
    fc.assert(fc.property(topic, (text) => !routingKey(text).split(".").includes("#")));
  });

  test("bind as the reference matcher matches", () => {
    const names = new Names("tidings");
    fc.assert(
      fc.property(pattern, topic, (left, right) => {
        const same = names.exchangeOf(left) === names.exchangeOf(right);
        return (same && binds(bindingKey(left).split("."), routingKey(right).split("."))) === matchesTopic(left, right);
      }),
      { numRuns: 2_000 },
    );
  });

  test("longer than 255 bytes are ERR_INVALID_TOPIC", () => {
    const text = Array.from({ length: 100 }, () => "#").join(".");
    expect(() => routingKey(text)).toThrow(expect.objectContaining({ code: "ERR_INVALID_TOPIC" }));
    expect(() => bindingKey(text)).toThrow(expect.objectContaining({ code: "ERR_INVALID_TOPIC" }));
  });
});

describe("queue names", () => {
  const names = new Names("tidings");

  test("differ where topic or name differ, and fit into 255 bytes", () => {
    const text = fc.string({ minLength: 1, maxLength: 200, unit: fc.constantFrom("a", ":", "%", "é", "3", "A", "#") });
    fc.assert(
      fc.property(text, text, text, text, (a, b, c, d) => {
        const [left, right] = [names.queue(a, b), names.queue(c, d)];
        expect(Buffer.byteLength(left)).toBeLessThanOrEqual(255);
        return (left === right) === (a === c && b === d);
      }),
    );
  });

  test("are readable where they fit", () => {
    expect(names.queue("orders.*", "a:b")).toBe("tidings.queue:orders.*:a%3Ab");
    expect(names.standing("dlq.orders.created")).toBe("tidings.dead-letters:dlq.orders.created");
    expect(names.queue("x".repeat(200), "y".repeat(200))).toMatch(/^tidings\.queue#[0-9a-f]{64}$/);
  });
});
