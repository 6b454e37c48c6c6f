import assert from "node:assert/strict";
import type { CheckDefinition } from "../check.ts";
import { lacks, standingQueues } from "../needs.ts";
import { publishNumbered } from "../publish-numbered.ts";
import { rejectsWith } from "../rejects.ts";

/** B. Delivery: queues without a live member. */
export const queueChecks: readonly CheckDefinition[] = [
  {
    name: "a queue created ahead holds messages for its first member",
    promises: ["D2", "D13"],
    needs: standingQueues,
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const [topic, queue] = [context.topic(), context.queue()];
      const log = context.log();
      await one.createQueue(topic, queue);
      await one.createQueue(topic, queue);
      await publishNumbered(two, topic, { count: 20, log, window: 1 });
      await context.receive(two, topic, { log, queue, concurrency: 1 });
      await context.untilComplete(log);
      await context.quiet(() => log.count("receiver"));
      log.assertExact(undefined, { inOrder: context.capabilities.ordered });
    },
  },
  {
    name: "a queue on a pattern created ahead holds messages of every topic that matches",
    promises: ["D2", "D10", "D13"],
    needs: standingQueues,
    async run(context) {
      // Nobody wants the message that does not match.
      context.leavesMessages();
      const broker = await context.open();
      const [root, queue] = [context.topic(), context.queue()];
      await broker.createQueue(`${root}.*`, queue);
      for (const word of ["a", "b"]) await broker.publish(`${root}.${word}`, { body: word });
      await broker.publish(`${root}.a.b`, { body: "does not match" });
      const member = await context.receive(broker, `${root}.*`, { queue });
      await context.untilSeen(2, member);
      await context.quiet(() => member.seen.length);
      assert.deepEqual(member.seen.map((seen) => [seen.topic, seen.text]).sort(), [
        [`${root}.a`, "a"],
        [`${root}.b`, "b"],
      ]);
    },
  },
  {
    name: "a queue keeps its messages while no member is alive",
    promises: ["D13"],
    needs: standingQueues,
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const [topic, queue] = [context.topic(), context.queue()];
      const log = context.log();
      const first = await context.receive(one, topic, { log, as: "first", queue });
      await publishNumbered(two, topic, { publisher: "while-alive", count: 10, log });
      await context.untilComplete(log);
      await first.unsubscribe();
      await publishNumbered(two, topic, { publisher: "while-gone", count: 10, log });
      await context.receive(two, topic, { log, as: "second", queue });
      await context.untilComplete(log);
      await context.quiet(() => log.count("first") + log.count("second"));
      log.assertExact();
      assert.equal(log.count("second"), 10);
    },
  },
  {
    name: "a queue keeps its messages when the broker of its last member disconnects",
    promises: ["D13", "D11"],
    needs: standingQueues,
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const [topic, queue] = [context.topic(), context.queue()];
      const log = context.log();
      await context.receive(one, topic, { queue });
      await one.disconnect();
      await publishNumbered(two, topic, { count: 10, log });
      await context.receive(two, topic, { log, queue });
      await context.untilComplete(log);
      await context.quiet(() => log.count("receiver"));
      log.assertExact();
    },
  },
  {
    name: "queues are listed with members and messages, and removed with what they hold",
    promises: ["D13"],
    needs: standingQueues,
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const [topic, queue] = [context.topic(), context.queue()];
      const other = context.queue("other");
      await one.createQueue(topic, queue);
      const member = await context.receive(two, topic, { queue: other });
      for (let number = 0; number < 3; number += 1) await one.publish(topic, { body: String(number) });
      await context.untilSeen(3, member);
      const ours = async (): Promise<unknown[]> =>
        (await two.queues.list())
          .filter((info) => info.topic === topic)
          .map(({ queue: name, members, messages }) => [name, members, messages])
          .sort();
      const expected = [
        [other, 1, 0],
        [queue, 0, 3],
      ].sort();
      await context.until(
        "both queues are listed",
        async () => JSON.stringify(await ours()) === JSON.stringify(expected),
      );
      assert.equal(await two.queues.remove(topic, queue), true);
      assert.equal(await two.queues.remove(topic, queue), false);
      await context.until(
        "the removed queue is gone",
        async () => JSON.stringify(await ours()) === JSON.stringify([[other, 1, 0]]),
      );
      const fresh = await context.receive(one, topic, { queue });
      await one.publish(topic, { body: "marker" });
      await context.until("the marker arrived", () => fresh.texts.includes("marker"));
      await context.quiet(() => fresh.seen.length);
      assert.deepEqual(fresh.texts, ["marker"], "a removed queue's messages came back");
    },
  },
  {
    name: "without standing queues createQueue is ERR_UNSUPPORTED",
    promises: ["D13"],
    needs: lacks("standingQueues"),
    async run(context) {
      const broker = await context.open();
      await rejectsWith("ERR_UNSUPPORTED", "createQueue", () => broker.createQueue(context.topic(), context.queue()));
    },
  },
];
