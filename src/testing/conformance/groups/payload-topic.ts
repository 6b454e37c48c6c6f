import assert from "node:assert/strict";
import type { CheckDefinition } from "../check.ts";
import { rejectsWith } from "../rejects.ts";

/** Words that an engine might take for something else, or fold into one. */
const WORDS = [
  "plain",
  "Plain",
  "été",
  "e\u0301te\u0301",
  "☺",
  "𝒳",
  "a b",
  "a+b",
  "a%20b",
  "a%2520b",
  "a/b",
  "a%2Fb",
  "a\\b",
  "a#b",
  "a?b",
  "a&b",
  "a=b",
  "a=20b",
  "a:b",
  "a;b",
  "a,b",
  "a$b",
  "$SYS",
  "_a_",
  "a_b",
  "a-b",
  "a@b",
  "a|b",
  "a~b",
  "a'b",
  'a"b',
  "a*b",
  "a>b",
  "**",
  ">>",
  "(a)",
  "[a]",
  "{a}",
  "<a>",
  "^a",
  "`a`",
  "__proto__",
  " a ",
];

const INVALID_ANYWHERE = [
  "",
  ".",
  "a.",
  ".a",
  "a..b",
  "a\nb",
  "a\u0000b",
  "\ud800",
  `${"x".repeat(201)}`,
  `dlq.${"x".repeat(201)}`,
  "dlq.",
];

/** C. Payload: topics and queue names. */
export const topicChecks: readonly CheckDefinition[] = [
  {
    name: "reserved characters in topics map one-to-one",
    promises: ["D10"],
    async run(context) {
      const [sender, receiver] = [await context.open(), await context.open()];
      const root = context.topic("r");
      const topics = WORDS.map((word) => `${root}.${word}.end`);
      const receivers = await Promise.all(topics.map((topic) => context.receive(receiver, topic)));
      const tail = await context.receive(receiver, `${root}.>`);
      await Promise.all(topics.map((topic) => sender.publish(topic, { body: topic })));
      for (const one of receivers) await context.untilSeen(1, one);
      await context.untilSeen(topics.length, tail);
      await context.quiet(() => tail.seen.length + receivers.reduce((sum, one) => sum + one.seen.length, 0));
      for (const [index, one] of receivers.entries()) {
        const pairs = one.seen.map((seen) => [seen.topic, seen.text]);
        assert.deepEqual(pairs, [[topics[index], topics[index]]]);
      }
      assert.deepEqual(tail.seen.map((seen) => seen.topic).sort(), [...topics].sort());
    },
  },
  {
    name: "reserved characters in queue names map one-to-one",
    promises: ["D2", "D10"],
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const suffix = context.word();
      const queues = [...WORDS, "a.b", "*", ">"].map((word) => `${word}${suffix}`);
      const receivers = await Promise.all(queues.map((queue) => context.receive(broker, topic, { queue })));
      await broker.publish(topic, { body: "each once" });
      for (const one of receivers) await context.untilSeen(1, one);
      await context.quiet(() => receivers.reduce((sum, one) => sum + one.seen.length, 0));
      assert.deepEqual(
        receivers.map((one) => one.seen.length),
        queues.map(() => 1),
      );
    },
  },
  {
    name: "a topic of 200 bytes works",
    promises: ["D10"],
    async run(context) {
      const broker = await context.open();
      const root = context.topic();
      const topics = [
        `${root}.${"x".repeat(199 - Buffer.byteLength(root))}`,
        `${root}.é${"x".repeat(197 - Buffer.byteLength(root))}`,
      ];
      for (const topic of topics) {
        assert.equal(Buffer.byteLength(topic), 200);
        const receiver = await context.receive(broker, topic);
        await broker.publish(topic, { body: "long" });
        await context.untilSeen(1, receiver);
        assert.equal(receiver.seen[0]?.topic, topic);
      }
    },
  },
  {
    name: "invalid topics, patterns and queue names are ERR_INVALID_TOPIC",
    promises: ["D10"],
    async run(context) {
      const broker = await context.open();
      for (const topic of [...INVALID_ANYWHERE, "a.*", "*", "a.>", ">", "a.*.b"]) {
        await rejectsWith("ERR_INVALID_TOPIC", `publish to ${JSON.stringify(topic)}`, () =>
          broker.publish(topic, { body: "x" }),
        );
      }
      for (const pattern of [...INVALID_ANYWHERE, "a.>.b", ">.a"]) {
        await rejectsWith("ERR_INVALID_TOPIC", `subscribe to ${JSON.stringify(pattern)}`, () =>
          broker.subscribe(pattern, () => {}),
        );
      }
      for (const queue of ["", "a\nb", "x".repeat(201), "\ud800"]) {
        await rejectsWith("ERR_INVALID_TOPIC", `the queue ${JSON.stringify(queue)}`, () =>
          broker.subscribe(context.topic(), () => {}, { queue }),
        );
      }
    },
  },
];
