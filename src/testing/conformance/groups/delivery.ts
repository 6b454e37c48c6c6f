import assert from "node:assert/strict";
import { type CheckDefinition, type ConformanceCheck, inGroup } from "../check.ts";
import type { CheckContext } from "../check-context.ts";
import { publishNumbered } from "../publish-numbered.ts";
import { memberChecks } from "./delivery-members.ts";
import { processChecks } from "./delivery-processes.ts";
import { publishChecks } from "./delivery-publish.ts";
import { queueChecks } from "./delivery-queues.ts";

const checks: readonly CheckDefinition[] = [
  {
    name: "the small load arrives whole, at a queue and at a broadcast subscriber",
    promises: ["D1", "D2"],
    run: (context) => load(context, context.profile.few),
  },
  {
    name: "the middle load arrives whole, at a queue and at a broadcast subscriber",
    promises: ["D1", "D2"],
    run: (context) => load(context, context.profile.several),
  },
  {
    name: "the large load arrives whole, at a queue and at a broadcast subscriber",
    promises: ["D1", "D2"],
    run: (context) => load(context, context.profile.many),
  },
  {
    name: "many publishers reach many subscribers",
    promises: ["D1", "D2"],
    async run(context) {
      const { crowd } = context.profile;
      const brokers = [await context.open(), await context.open(), await context.open()];
      const topic = context.topic();
      const log = context.log();
      const names = Array.from({ length: crowd }, (_, index) => `subscriber-${index}`);
      await Promise.all(names.map((as, index) => context.receive(pick(brokers, index), topic, { log, as })));
      await Promise.all(
        names.map((_, index) =>
          publishNumbered(pick(brokers, index + 1), topic, {
            publisher: `publisher-${index}`,
            count: 10,
            log,
            window: 4,
          }),
        ),
      );
      for (const name of names) await context.untilComplete(log, [name]);
      await context.quiet(() => names.reduce((sum, name) => sum + log.count(name), 0));
      for (const name of names) log.assertExact([name]);
    },
  },
  {
    name: "topics in parallel do not mix",
    promises: ["D2"],
    async run(context) {
      const [sender, receiver] = [await context.open(), await context.open()];
      const topics = Array.from({ length: context.profile.topics }, (_, index) => context.topic(`t${index}`));
      const logs = topics.map(() => context.log());
      const wrong: string[] = [];
      await Promise.all(
        topics.map((topic, index) =>
          context.receive(receiver, topic, {
            ...(index % 2 === 0 ? {} : { queue: context.queue() }),
            ...(logs[index] === undefined ? {} : { log: logs[index] }),
            handle: (delivery) => void (delivery.topic === topic || wrong.push(`${delivery.topic} at ${topic}`)),
          }),
        ),
      );
      await Promise.all(
        topics.map((topic, index) =>
          publishNumbered(sender, topic, {
            publisher: topic,
            count: 20,
            ...(logs[index] === undefined ? {} : { log: logs[index] }),
          }),
        ),
      );
      for (const log of logs) await context.untilComplete(log);
      await context.quiet(() => logs.reduce((sum, log) => sum + log.count("receiver"), 0));
      for (const log of logs) log.assertExact();
      assert.deepEqual(wrong, []);
    },
  },
  {
    name: "broadcast: every subscriber of every broker gets every message once",
    promises: ["D2"],
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const topic = context.topic();
      const log = context.log();
      const names = ["one-a", "one-b", "two-a"];
      for (const as of names) await context.receive(as.startsWith("one") ? one : two, topic, { log, as });
      await publishNumbered(one, topic, { publisher: "one", count: 20, log });
      await publishNumbered(two, topic, { publisher: "two", count: 20, log });
      for (const name of names) await context.untilComplete(log, [name]);
      await context.quiet(() => names.reduce((sum, name) => sum + log.count(name), 0));
      for (const name of names) log.assertExact([name]);
    },
  },
  {
    name: "a broadcast subscriber gets nothing from before it subscribed",
    promises: ["D2"],
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const first = await context.receive(broker, topic);
      await broker.publish(topic, { body: "before" });
      await context.untilSeen(1, first);
      const late = await context.receive(broker, topic);
      await broker.publish(topic, { body: "after" });
      await context.until("the late subscriber got the later message", () => late.texts.includes("after"));
      await context.quiet(() => late.seen.length);
      assert.deepEqual(late.texts, ["after"]);
    },
  },
  {
    name: "every publish after subscribe resolved is seen",
    promises: ["D2"],
    async run(context) {
      const [sender, receiver] = [await context.open(), await context.open()];
      for (let round = 0; round < context.profile.rounds; round += 1) {
        const topic = context.topic();
        const [broadcast, member] = await Promise.all([
          context.receive(receiver, topic),
          context.receive(receiver, topic, { queue: context.queue() }),
        ]);
        await sender.publish(topic, { body: "now" });
        await context.untilSeen(1, broadcast);
        await context.untilSeen(1, member);
        await Promise.all([broadcast.unsubscribe(), member.unsubscribe()]);
      }
    },
  },
  {
    name: "a delivery carries the id and key that were published",
    promises: ["D1"],
    async run(context) {
      const [sender, receiver] = [await context.open(), await context.open()];
      const topic = context.topic();
      const subscriber = await context.receive(receiver, topic, { concurrency: 1 });
      const given = await sender.publish(topic, { body: "given" }, { id: "id ünï/7", key: "key ünï/7" });
      const made = await sender.publish(topic, { body: "made" });
      assert.equal(given.id, "id ünï/7");
      assert.match(made.id, /^[0-9a-f]{8}-[0-9a-f-]{27}$/, "an id that was not given is a UUID");
      await context.untilSeen(2, subscriber);
      const got = new Map(subscriber.seen.map((seen) => [seen.text, [seen.id, seen.key]]));
      assert.deepEqual(got.get("given"), ["id ünï/7", "key ünï/7"]);
      assert.deepEqual(got.get("made"), [made.id, undefined]);
    },
  },
];

/** Two publishers, one queue and one broadcast subscriber: both get everything, once. */
async function load(context: CheckContext, count: number): Promise<void> {
  const [one, two] = [await context.open(), await context.open()];
  const topic = context.topic();
  const log = context.log();
  await context.receive(one, topic, { log, as: "broadcast" });
  await context.receive(two, topic, { log, as: "queue", queue: context.queue() });
  const half = Math.ceil(count / 2);
  await Promise.all([
    publishNumbered(one, topic, { publisher: "one", count: half, log }),
    publishNumbered(two, topic, { publisher: "two", count: count - half, log }),
  ]);
  await context.untilComplete(log, ["broadcast"]);
  await context.untilComplete(log, ["queue"]);
  await context.quiet(() => log.count("broadcast") + log.count("queue"));
  log.assertExact(["broadcast"]);
  log.assertExact(["queue"]);
}

function pick<T>(items: readonly T[], index: number): T {
  const item = items[index % items.length];
  assert.ok(item !== undefined);
  return item;
}

/** B. Delivery: what arrives, how often and where. */
export const delivery: readonly ConformanceCheck[] = inGroup("B", [
  ...checks,
  ...memberChecks,
  ...queueChecks,
  ...publishChecks,
  ...processChecks,
]);
