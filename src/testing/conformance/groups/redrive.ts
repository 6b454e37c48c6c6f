import assert from "node:assert/strict";
import type { CheckDefinition } from "../check.ts";
import { deadLettersOf } from "../dead-letters-of.ts";
import { all, deadLetters, standingQueues } from "../needs.ts";

/** E. Retry and dead letters: sending dead letters back. */
export const redriveChecks: readonly CheckDefinition[] = [
  {
    name: "redrive reaches the queue that failed only, once, from attempt 1, as it was published",
    promises: ["D5"],
    needs: deadLetters,
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const topic = context.topic();
      const queue = context.queue("failing");
      let broken = true;
      const failing = await context.receive(one, topic, {
        queue,
        maxAttempts: 2,
        backoffMs: 10,
        handle: () => {
          if (broken) throw new Error("broken");
        },
      });
      const others = [
        await context.receive(two, topic, { queue: context.queue("healthy") }),
        await context.receive(two, topic),
        await context.receive(two, topic.replace(/\.[^.]*$/, ".*"), { queue }),
      ];
      const { id } = await two.publish(topic, { header: { "x-a": "1" }, body: "poison" }, { key: "k" });
      await deadLettersOf(context, two, topic, 1);
      broken = false;
      assert.equal(await two.deadLetters.redrive(`dlq.${topic}`), 1);
      await context.untilSeen(3, failing);
      await context.quiet(() => failing.seen.length + others.reduce((sum, other) => sum + other.seen.length, 0));
      assert.deepEqual(
        others.map((other) => other.seen.length),
        [1, 1, 1],
        "redrive reached a subscription that had succeeded",
      );
      const again = failing.seen
        .slice(2)
        .map((seen) => [seen.id, seen.attempt, { ...seen.header }, seen.text, seen.key]);
      assert.deepEqual(again, [[id, 1, { "x-a": "1" }, "poison", "k"]]);
      assert.deepEqual(await two.deadLetters.list(`dlq.${topic}`), []);
      assert.equal(await two.deadLetters.redrive(`dlq.${topic}`), 0);
    },
  },
  {
    name: "a redriven message that fails again makes a dead letter again",
    promises: ["D5"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, {
        queue: context.queue(),
        maxAttempts: 2,
        backoffMs: 10,
        handle: () => {
          throw new Error("broken");
        },
      });
      await broker.publish(topic, { body: "poison" });
      await deadLettersOf(context, broker, topic, 1);
      await broker.deadLetters.redrive(`dlq.${topic}`);
      await context.untilSeen(4, receiver);
      const [letter] = await deadLettersOf(context, broker, topic, 1);
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(
        receiver.seen.map((seen) => seen.attempt),
        [1, 2, 1, 2],
      );
      assert.equal(letter?.attempts, 2);
      await deadLettersOf(context, broker, topic, 1);
    },
  },
  {
    name: "redrive by id sends that one, back to a queue without a live member",
    promises: ["D5", "D13"],
    needs: all(deadLetters, standingQueues),
    async run(context) {
      const broker = await context.open();
      const [topic, queue] = [context.topic(), context.queue()];
      const failing = await context.receive(broker, topic, {
        queue,
        autoAck: false,
        handle: (delivery) => delivery.reject("no"),
      });
      const receipts = [];
      for (const body of ["a", "b", "c"]) receipts.push(await broker.publish(topic, { body }));
      await deadLettersOf(context, broker, topic, 3);
      await failing.unsubscribe();
      assert.equal(await broker.deadLetters.redrive(`dlq.${topic}`, { id: receipts[1]?.id ?? "" }), 1);
      const left = await deadLettersOf(context, broker, topic, 2);
      assert.deepEqual(left.map((letter) => Buffer.from(letter.body).toString()).sort(), ["a", "c"]);
      const member = await context.receive(broker, topic, { queue });
      await context.untilSeen(1, member);
      await context.quiet(() => member.seen.length);
      assert.deepEqual(member.texts, ["b"]);
    },
  },
  {
    name: "redrive sends back what was there at the call, however soon it fails again",
    promises: ["D5"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, {
        queue: context.queue(),
        maxAttempts: 1,
        handle: () => {
          throw new Error("broken for good");
        },
      });
      for (const body of ["a", "b", "c"]) await broker.publish(topic, { body });
      await deadLettersOf(context, broker, topic, 3);
      let count: number | undefined;
      const redriving = broker.deadLetters.redrive(topic).then((redriven) => {
        count = redriven;
      });
      await context.until("the redrive is done", () => count !== undefined || receiver.seen.length > 12);
      assert.ok(receiver.seen.length <= 6, `three dead letters were sent back ${receiver.seen.length - 3} times`);
      await redriving;
      assert.equal(count, 3);
      await context.untilSeen(6, receiver);
      await deadLettersOf(context, broker, topic, 3);
    },
  },
  {
    name: "the topics that have dead letters are listed, with how many",
    promises: ["D13"],
    needs: deadLetters,
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const topics = [context.topic("a"), context.topic("b")];
      for (const topic of topics) {
        const handle = {
          autoAck: false,
          handle: (delivery: { reject(reason: string): unknown }) => delivery.reject("no"),
        };
        await context.receive(one, topic, { queue: context.queue(), ...handle });
        for (let n = 0; n <= topics.indexOf(topic); n += 1) await one.publish(topic, { body: String(n) });
        await deadLettersOf(context, one, topic, topics.indexOf(topic) + 1);
      }
      const own = async (): Promise<object[]> =>
        (await two.deadLetters.topics()).filter(({ topic }) => topics.includes(topic.slice("dlq.".length)));
      assert.deepEqual(await own(), [
        { topic: `dlq.${topics[0]}`, messages: 1 },
        { topic: `dlq.${topics[1]}`, messages: 2 },
      ]);
      await one.deadLetters.drop(topics[1] ?? "");
      assert.deepEqual(await own(), [{ topic: `dlq.${topics[0]}`, messages: 1 }]);
    },
  },
  {
    name: "two queues that failed one message each get their own redriven",
    promises: ["D5"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      let broken = true;
      const handle = (): void => {
        if (broken) throw new Error("broken");
      };
      const receivers = [
        await context.receive(broker, topic, { queue: context.queue("one"), maxAttempts: 1, handle }),
        await context.receive(broker, topic, { queue: context.queue("two"), maxAttempts: 1, handle }),
      ];
      await broker.publish(topic, { body: "poison" });
      await deadLettersOf(context, broker, topic, 2);
      broken = false;
      assert.equal(await broker.deadLetters.redrive(`dlq.${topic}`), 2);
      for (const receiver of receivers) await context.untilSeen(2, receiver);
      await context.quiet(() => receivers.reduce((sum, receiver) => sum + receiver.seen.length, 0));
      assert.deepEqual(
        receivers.map((receiver) => receiver.seen.map((seen) => seen.attempt)),
        [
          [1, 1],
          [1, 1],
        ],
      );
    },
  },
  {
    name: "redrive reaches the broadcast subscription that failed, only while it lives",
    promises: ["D5"],
    needs: deadLetters,
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const topic = context.topic();
      let broken = true;
      const failing = await context.receive(one, topic, {
        maxAttempts: 1,
        handle: () => {
          if (broken) throw new Error("broken");
        },
      });
      const healthy = [await context.receive(one, topic), await context.receive(two, topic)];
      await two.publish(topic, { body: "first" });
      await deadLettersOf(context, two, topic, 1);
      broken = false;
      await one.deadLetters.redrive(`dlq.${topic}`);
      await context.untilSeen(2, failing);
      broken = true;
      await two.publish(topic, { body: "second" });
      await deadLettersOf(context, two, topic, 1);
      await failing.unsubscribe();
      const late = await context.receive(one, topic);
      assert.equal(await one.deadLetters.redrive(`dlq.${topic}`), 0, "a subscription that is gone was redriven to");
      await context.quiet(
        () => late.seen.length + failing.seen.length + healthy.reduce((sum, other) => sum + other.seen.length, 0),
      );
      assert.deepEqual([failing.texts, late.texts], [["first", "first", "second"], []]);
      for (const other of healthy) assert.deepEqual(other.texts, ["first", "second"]);
    },
  },
];
