import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answerCalls, readDeadLetter, writeDeadLetter } from "../../../../src/drivers/http/calls.ts";

describe("dead letters between processes", () => {
  test("come back as they were", () => {
    const header = fc.dictionary(
      fc.oneof(fc.string({ unit: "binary" }), fc.constant("__proto__")),
      fc.string({ unit: "binary" }),
      { noNullPrototype: false },
    );
    fc.assert(
      fc.property(header, fc.uint8Array(), fc.option(fc.string(), { nil: undefined }), (map, body, queue) => {
        const letter = {
          id: "1",
          topic: "a.b",
          queue,
          reason: "r",
          attempts: 3,
          firstAt: new Date(1),
          lastAt: new Date(2),
          header: map,
          body,
        };
        const read = readDeadLetter(JSON.parse(JSON.stringify(writeDeadLetter(letter))));
        expect(Object.entries(read.header).sort()).toEqual(Object.entries(map).sort());
        expect(Buffer.compare(Buffer.from(read.body), Buffer.from(body))).toBe(0);
        expect({ ...read, header: {}, body: 0 }).toEqual({ ...letter, header: {}, body: 0 });
      }),
    );
  });
});

describe("a call", () => {
  const nothing = async (): Promise<never> => {
    throw new Error("it was carried out");
  };
  const answer = answerCalls({
    queues: { create: nothing, list: nothing, remove: nothing },
    deadLetters: { list: nothing, redrive: nothing, drop: nothing },
    addQueue: () => {
      throw new Error("it was carried out");
    },
  });

  test.each<[string, unknown]>([
    ["format-disk", null],
    ["toString", null],
    ["__proto__", null],
    ["queue-added", null],
    ["queue-added", { pattern: "a..b", queue: "q" }],
    ["queue-removed", { pattern: "a", queue: 1 }],
    ["queue-removed", []],
    ["dead-letters", {}],
    ["drop", { topic: "dlq.*" }],
    ["redrive", { topic: "dlq.a", id: 5 }],
  ])("%s of %j is refused before anything is done", async (name, argument) => {
    await expect(answer(name, argument)).rejects.toThrow(/^(?!it was carried out)/);
  });
});
