import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { escapeWords, Names, queueName, unescapeWords } from "../../src/drivers/nats/subjects.ts";
import { isPattern, matchesTopic } from "../../src/topics.ts";

const names = new Names("tidings");
const word = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: topics have none
  .map((text) => text.replace(/[\u0000-\u001f\u007f.]/g, "_"));
const concrete = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join("."));
const topic = concrete.filter((words) => !isPattern(words));

/** Matches as a NATS server does: by words of the subject. */
function serverMatches(filter: string, subject: string): boolean {
  const want = filter.split(".");
  const have = subject.split(".");
  for (const [index, token] of want.entries()) {
    if (token === ">") return have.length > index;
    if (index >= have.length || (token !== "*" && token !== have[index])) return false;
  }
  return want.length === have.length;
}

describe("subjects", () => {
  test("topics map to subjects one-to-one, and back", () => {
    fc.assert(
      fc.property(topic, fc.boolean(), (words, dead) => {
        const name = dead ? `dlq.${words}` : words;
        expect(names.topic(name)).toMatch(/^[!-~]+$/);
        expect(names.parse(names.topic(name))?.topic).toBe(name);
        expect(names.parseCore(names.core(name, false))).toBe(name);
        expect(unescapeWords(escapeWords(name, false))).toBe(name);
      }),
    );
  });

  test("different topics have different subjects", () => {
    fc.assert(
      fc.property(topic, topic, (one, two) => {
        expect(names.topic(one) === names.topic(two)).toBe(one === two);
      }),
    );
  });

  test("no topic is a wildcard to the server", () => {
    for (const name of ["a*b", "**", ">>", "a>", "*a.>b", " ", "%2A", "☺"])
      expect(names.topic(name).split(".").slice(3)).not.toContain("*");
    expect(escapeWords("a*.>>.**", false)).toBe("a%2A.%3E%3E.%2A%2A");
    expect(escapeWords("a.*.>", true)).toBe("a.*.>");
  });

  test("a filter matches the subjects of the topics that the pattern matches, and no other", () => {
    const some = fc.constantFrom("a", "b", "*", "a*", "dlq", "%2A", "é");
    const pattern = fc
      .tuple(fc.array(some, { minLength: 1, maxLength: 4 }), fc.boolean())
      .map(([words, tail]) => [...words, ...(tail ? [">"] : [])].join("."))
      .filter((text) => text !== "dlq");
    const plain = fc
      .array(fc.constantFrom("a", "b", "a*", "dlq", "%2A", "é"), { minLength: 1, maxLength: 5 })
      .map((words) => words.join("."));
    fc.assert(
      fc.property(pattern, plain, (wanted, name) => {
        const matches = matchesTopic(wanted, name);
        expect(serverMatches(names.filter(wanted), names.topic(name))).toBe(matches);
        expect(serverMatches(names.core(wanted, true), names.core(name, false))).toBe(matches);
      }),
      { numRuns: 2_000 },
    );
  });

  test("a redriven message is for one consumer, and on the same topic", () => {
    const subject = names.topic("a.b", "queue-x-1");
    expect(names.parse(subject)).toEqual({ to: "queue-x-1", topic: "a.b" });
    expect(serverMatches(names.filter("a.*"), subject)).toBe(true);
  });

  test("what nobody here escaped stays as it is", () => {
    expect(names.parse("tidings.t.-.a%FFb")?.topic).toBe("a%FFb");
    expect(names.parse("tidings.x.a")).toBeUndefined();
  });

  test("consumers of different queues have different names that NATS takes", () => {
    const queue = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(fc.tuple(topic, queue), fc.tuple(topic, queue), (one, two) => {
        expect(queueName(...one)).toMatch(/^[A-Za-z0-9_-]{1,80}$/);
        expect(queueName(...one) === queueName(...two)).toBe(one[0] === two[0] && one[1] === two[1]);
      }),
    );
    expect(queueName("o.*", "billing")).not.toBe(queueName("o.created", "billing"));
  });
});
