import assert from "node:assert/strict";
import { matchesTopic } from "../../../topics.ts";
import { type CheckDefinition, type ConformanceCheck, inGroup } from "../check.ts";
import type { CheckContext } from "../check-context.ts";
import { brings } from "../needs.ts";
import { createRandom, type Random } from "../random.ts";

const checks: readonly CheckDefinition[] = [
  {
    name: "one word: * matches exactly one",
    promises: ["D10"],
    run: (context) =>
      matches(context, (root) => ({
        pattern: `${root}.*`,
        yes: [`${root}.a`, `${root}.b-c`, `${root}.*x`],
        no: [root, `${root}.a.b`, `${root}x.a`],
      })),
  },
  {
    name: "tail: > matches one or more words",
    promises: ["D10"],
    run: (context) =>
      matches(context, (root) => ({
        pattern: `${root}.>`,
        yes: [`${root}.a`, `${root}.a.b`, `${root}.a.b.c.d`],
        no: [root, `${root}x.a`],
      })),
  },
  {
    name: "middle: * between words matches exactly one",
    promises: ["D10"],
    run: (context) =>
      matches(context, (root) => ({
        pattern: `${root}.*.end`,
        yes: [`${root}.a.end`, `${root}.end.end`],
        no: [`${root}.end`, `${root}.a.b.end`, `${root}.a.end.more`, `${root}.a.b`],
      })),
  },
  {
    name: "front and combined: *, * and >",
    promises: ["D10"],
    run: (context) =>
      matches(context, (root) => ({
        pattern: `*.${root}.*.x.>`,
        yes: [`a.${root}.b.x.c`, `a.${root}.x.x.x.x`],
        no: [`${root}.b.x.c`, `a.${root}.b.x`, `a.b.${root}.c.x.d`, `a.${root}.b.y.c`],
      })),
  },
  {
    name: "overlapping patterns each get a message once, with its concrete topic",
    promises: ["D10", "D2"],
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const root = context.word();
      const patterns = [
        `${root}.a.b`,
        `${root}.a.*`,
        `${root}.*.b`,
        `${root}.*.*`,
        `${root}.a.>`,
        `${root}.>`,
        `*.a.b`.replace("*", root),
      ];
      const receivers = await Promise.all(
        patterns.map((pattern, index) =>
          context.receive(two, pattern, index % 2 === 0 ? {} : { queue: context.queue() }),
        ),
      );
      await one.publish(`${root}.a.b`, { body: "x" });
      for (const receiver of receivers) await context.untilSeen(1, receiver);
      await context.quiet(() => receivers.reduce((sum, receiver) => sum + receiver.seen.length, 0));
      for (const [index, receiver] of receivers.entries()) {
        assert.deepEqual(
          receiver.seen.map((seen) => seen.topic),
          [`${root}.a.b`],
          `the subscription to ${patterns[index]}`,
        );
        assert.equal(receiver.subscriber.topic, patterns[index]);
      }
    },
  },
  {
    name: "the same patterns match the same topics as the reference",
    promises: ["D10"],
    async run(context) {
      const [sender, receiver] = [await context.open(), await context.open()];
      const root = context.word();
      const seed = Math.floor(Math.random() * 2 ** 32);
      const random = createRandom(seed);
      const patterns = unique(context.profile.patterns, () => `${root}.${words(random, ["a", "b", "*"], true)}`);
      const topics = unique(context.profile.patterns, () => `${root}.${words(random, ["a", "b", "c"], false)}`);
      const receivers = await Promise.all(patterns.map((pattern) => context.receive(receiver, pattern)));
      const everything = await context.receive(receiver, `${root}.>`);
      for (const topic of topics) await sender.publish(topic, { body: topic });
      const expected = patterns.map((pattern) => topics.filter((topic) => matchesTopic(pattern, topic)).sort());
      const sum = (): number => receivers.reduce((total, one) => total + one.seen.length, 0);
      await context.untilSeen(topics.length, everything);
      await context.until("every match arrived", () => sum() >= expected.flat().length, {
        detail: () => `${sum()} of ${expected.flat().length} did, with seed ${seed}`,
      });
      await context.quiet(sum);
      for (const [index, one] of receivers.entries()) {
        assert.deepEqual(
          one.seen.map((seen) => seen.topic).sort(),
          expected[index],
          `the subscription to ${patterns[index]}, with seed ${seed}`,
        );
      }
    },
  },
  {
    name: "topics under dlq. match only patterns that begin with dlq.",
    promises: ["D10", "D5"],
    async run(context) {
      const broker = await context.open();
      const root = context.word();
      const outside = [
        await context.receive(broker, `*.${root}.>`),
        await context.receive(broker, `*.${root}.a`),
        await context.receive(broker, `*.*.${root}`, { queue: context.queue() }),
      ];
      const inside = [
        await context.receive(broker, `dlq.${root}.>`),
        await context.receive(broker, `dlq.${root}.*`, { queue: context.queue() }),
        await context.receive(broker, `dlq.${root}.a`),
      ];
      await broker.publish(`dlq.${root}.a`, { body: "dead" });
      await broker.publish(`dlq.x.${root}`, { body: "dead" });
      await broker.publish(`live.${root}.a`, { body: "live" });
      for (const receiver of inside) await context.untilSeen(1, receiver);
      for (const receiver of outside.slice(0, 2))
        await context.until("the live message arrived", () => receiver.texts.includes("live"));
      await context.quiet(() => [...inside, ...outside].reduce((sum, receiver) => sum + receiver.seen.length, 0));
      for (const receiver of inside)
        assert.deepEqual(receiver.texts, ["dead"], `the subscription to ${receiver.subscriber.topic}`);
      assert.deepEqual(
        outside.map((receiver) => receiver.texts),
        [["live"], ["live"], []],
      );
      if (context.capabilities.deadLetters) await broker.deadLetters.drop(`dlq.x.${root}`);
    },
  },
  {
    name: "> alone gets everything but dead letters",
    promises: ["D10", "D5"],
    needs: brings("isolated"),
    async run(context) {
      context.leavesMessages();
      const broker = context.special("isolated");
      await broker.connect();
      const [all, one, dead] = [
        await context.receive(broker, ">"),
        await context.receive(broker, "*"),
        await context.receive(broker, "dlq.>"),
      ];
      for (const topic of ["a", "a.b", "dlq.a", "dlq.a.b", "dlq", "dlqx.a"])
        await broker.publish(topic, { body: topic });
      await context.untilSeen(4, all);
      await context.untilSeen(2, dead);
      await context.quiet(() => all.seen.length + one.seen.length + dead.seen.length);
      assert.deepEqual(
        [all, one, dead].map((receiver) => receiver.texts.sort()),
        [
          ["a", "a.b", "dlq", "dlqx.a"],
          ["a", "dlq"],
          ["dlq.a", "dlq.a.b"],
        ],
      );
    },
  },
];

interface Expectation {
  readonly pattern: string;
  readonly yes: readonly string[];
  readonly no: readonly string[];
}

/** Publishes to every topic; the pattern gets those that match, once, and each topic's own subscriber gets its own. */
async function matches(context: CheckContext, make: (root: string) => Expectation): Promise<void> {
  const [sender, receiver] = [await context.open(), await context.open()];
  const { pattern, yes, no } = make(context.word());
  const broadcast = await context.receive(receiver, pattern);
  const member = await context.receive(receiver, pattern, { queue: context.queue() });
  const own = await Promise.all([...yes, ...no].map((topic) => context.receive(receiver, topic)));
  for (const topic of [...no, ...yes]) await sender.publish(topic, { body: topic });
  await context.untilSeen(yes.length, broadcast);
  await context.untilSeen(yes.length, member);
  for (const one of own) await context.untilSeen(1, one);
  await context.quiet(() => [broadcast, member, ...own].reduce((sum, one) => sum + one.seen.length, 0));
  for (const one of [broadcast, member]) assert.deepEqual(one.seen.map((seen) => seen.topic).sort(), [...yes].sort());
  for (const one of own) assert.deepEqual(one.texts, [one.subscriber.topic]);
}

function words(random: Random, alphabet: readonly string[], tail: boolean): string {
  const count = 1 + random.below(4);
  const picked = Array.from({ length: count }, () => alphabet[random.below(alphabet.length)]);
  if (tail && random.below(3) === 0) picked[count - 1] = ">";
  return picked.join(".");
}

function unique(count: number, make: () => string): string[] {
  const made = new Set<string>();
  while (made.size < count) made.add(make());
  return [...made];
}

/** G. Patterns: one grammar on every broker. */
export const patterns: readonly ConformanceCheck[] = inGroup("G", checks);
