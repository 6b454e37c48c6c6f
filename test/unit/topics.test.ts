import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TopicIndex } from "../../src/topic-index.ts";
import {
  checkPattern,
  checkQueue,
  checkTopic,
  deadLetterTopic,
  isPattern,
  MAX_TOPIC_BYTES,
  matchesTopic,
} from "../../src/topics.ts";

const word = fc.constantFrom("a", "b", "ä", "c d", "dlq", "*x");
const topic = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join("."));
const pattern = fc
  .tuple(fc.array(fc.oneof(word, fc.constant("*")), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([words, tail]) => (tail ? [...words, ">"] : words).join("."));

/** The grammar as a regular expression: a second, independent reading of it. */
function asRegExp(text: string): RegExp {
  const words = text.split(".");
  const parts = words.map((part, index) => {
    if (part === ">" && index === words.length - 1) return ".+";
    return part === "*" ? "[^.]+" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("\\.")}$`, "su");
}

describe("topics", () => {
  test("patterns match as their grammar says, and dlq. topics only for patterns under dlq.", () => {
    fc.assert(
      fc.property(pattern, topic, (want, have) => {
        const allowed = !have.startsWith("dlq.") || want.startsWith("dlq.");
        expect(matchesTopic(want, have)).toBe(allowed && asRegExp(want).test(have));
      }),
    );
  });

  test("the index finds what the matcher matches, whatever is added and removed", () => {
    fc.assert(
      fc.property(
        fc.array(pattern, { maxLength: 12 }),
        fc.array(topic, { minLength: 1, maxLength: 6 }),
        (patterns, topics) => {
          const index = new TopicIndex<number>();
          for (const [value, added] of patterns.entries()) index.add(added, value);
          const check = (alive: (value: number) => boolean) => {
            for (const have of topics) {
              const expected = patterns.flatMap((want, value) =>
                alive(value) && matchesTopic(want, have) ? [value] : [],
              );
              expect([...index.match(have)].sort((a, b) => a - b)).toEqual(expected);
            }
          };
          check(() => true);
          for (const [value, removed] of patterns.entries()) if (value % 2 === 0) index.remove(removed, value);
          check((value) => value % 2 === 1);
        },
      ),
    );
  });

  test.each([
    ["", "empty"],
    ["a..b", "empty word"],
    [".a", "empty word"],
    ["a.", "empty word"],
    ["a\u0000b", "control character"],
    ["a\nb", "control character"],
    ["a.*.b", "wildcards"],
    ["a.>", "wildcards"],
    [">", "wildcards"],
    ["\ud800", "well-formed"],
    ["x".repeat(MAX_TOPIC_BYTES + 1), "longer"],
  ])("the topic %j is refused: %s", (text, why) => {
    expect(() => checkTopic(text)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_TOPIC", message: expect.stringContaining(why) }),
    );
  });

  test.each(["a", "a.b", "ünï.cødé", "with space", "a*b.c>d", "dlq", `dlq.${"x".repeat(MAX_TOPIC_BYTES)}`])(
    "the topic %j is valid",
    (text) => {
      expect(() => checkTopic(text)).not.toThrow();
    },
  );

  test("the tail wildcard stands only at the end of a pattern", () => {
    expect(() => checkPattern("a.>.b")).toThrow(expect.objectContaining({ code: "ERR_INVALID_TOPIC" }));
    expect(() => checkPattern("a.*.>")).not.toThrow();
    expect(isPattern("a.b>")).toBe(false);
    expect(isPattern("*")).toBe(true);
  });

  test("what is no string is refused with its type", () => {
    for (const check of [checkTopic, checkPattern, checkQueue]) {
      expect(() => check(7)).toThrow(
        expect.objectContaining({ code: "ERR_INVALID_TOPIC", message: expect.stringContaining("number") }),
      );
    }
    expect(() => checkQueue("")).toThrow(expect.objectContaining({ code: "ERR_INVALID_TOPIC" }));
  });

  test("a dead-letter topic is its own dead-letter topic", () => {
    expect(deadLetterTopic("a.b")).toBe("dlq.a.b");
    expect(deadLetterTopic("dlq.a.b")).toBe("dlq.a.b");
  });
});
