import assert from "node:assert/strict";
import { type CheckDefinition, type ConformanceCheck, inGroup } from "../check.ts";
import { has, standingQueues } from "../needs.ts";
import { publishNumbered } from "../publish-numbered.ts";
import { floodChecks } from "./flow-flood.ts";
import { keyChecks } from "./flow-keys.ts";

const checks: readonly CheckDefinition[] = [
  {
    name: "with concurrency 1, messages of each publisher come in order, to a queue and to a broadcast subscriber",
    promises: ["D8"],
    needs: has("ordered"),
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const topic = context.topic();
      const log = context.log();
      await context.receive(two, topic, { log, as: "queue", queue: context.queue(), concurrency: 1 });
      await context.receive(two, topic, { log, as: "broadcast", concurrency: 1, prefetch: 8 });
      const count = context.profile.few;
      await Promise.all([
        publishNumbered(one, topic, { publisher: "one", count, log }),
        publishNumbered(two, topic, { publisher: "two", count, log }),
      ]);
      // One after the other, with a way to the engine and back for each.
      for (const name of ["queue", "broadcast"]) await context.untilComplete(log, [name], 2);
      await context.quiet(() => log.count("queue") + log.count("broadcast"));
      for (const name of ["queue", "broadcast"]) log.assertExact([name], { inOrder: true });
    },
  },
  {
    name: "with concurrency 1, what a queue held and what was given back comes in order",
    promises: ["D8", "D11"],
    needs: (target) => standingQueues(target) ?? has("ordered")(target),
    async run(context) {
      const broker = await context.open({ acceptTimeoutMs: 50 });
      const [topic, queue] = [context.topic(), context.queue()];
      const log = context.log();
      await broker.createQueue(topic, queue);
      await publishNumbered(broker, topic, { count: 20, log });
      const gate = context.gate();
      const leaving = await context.receive(broker, topic, {
        log,
        as: "leaving",
        queue,
        concurrency: 1,
        prefetch: 5,
        handle: () => gate.pass(),
      });
      await context.untilSeen(1, leaving);
      const left = leaving.unsubscribe();
      gate.open();
      await left;
      await context.receive(broker, topic, { log, as: "next", queue, concurrency: 1 });
      await context.untilComplete(log);
      await context.quiet(() => log.count("next"));
      log.assertExact(undefined, { inOrder: true });
    },
  },
  {
    name: "concurrency is reached and never exceeded",
    promises: ["D7"],
    async run(context) {
      const broker = await context.open({ acceptTimeoutMs: 100 });
      const topic = context.topic();
      const gate = context.gate();
      const wide = await context.receive(broker, topic, {
        queue: context.queue(),
        concurrency: 4,
        prefetch: 16,
        handle: () => gate.pass(),
      });
      const narrow = await context.receive(broker, topic, {
        queue: context.queue(),
        concurrency: 1,
        prefetch: 16,
        handle: () => gate.pass(),
      });
      const publishing = publishNumbered(broker, topic, { count: 16 });
      await context.until("four handlers run at once", () => wide.running === 4, {
        detail: () => `${wide.running} do`,
      });
      await context.until("one handler runs", () => narrow.running === 1);
      await context.quiet(() => wide.seen.length + narrow.seen.length);
      gate.open();
      await publishing;
      await context.until("all were handled", () => wide.returned === 16 && narrow.returned === 16);
      assert.deepEqual([wide.peak, narrow.peak], [4, 1]);
    },
  },
  {
    name: "handlers of one subscription run at the same time, up to 16 by default",
    promises: ["D7"],
    async run(context) {
      const broker = await context.open({ acceptTimeoutMs: 100 });
      const topic = context.topic();
      const gate = context.gate();
      const receiver = await context.receive(broker, topic, { queue: context.queue(), handle: () => gate.pass() });
      const publishing = publishNumbered(broker, topic, { count: 20 });
      await context.until("16 handlers run at once", () => receiver.running === 16, {
        detail: () => `${receiver.running} do`,
      });
      await context.quiet(() => receiver.seen.length);
      gate.open();
      await publishing;
      await context.until("all were handled", () => receiver.returned === 20);
      assert.equal(receiver.peak, 16);
    },
  },
  {
    name: "a member holds no more than its prefetch: the rest goes to another",
    promises: ["D7", "D2"],
    needs: standingQueues,
    async run(context) {
      const [one, two] = [await context.open({ acceptTimeoutMs: 2_000 }), await context.open({ acceptTimeoutMs: 50 })];
      const [topic, queue] = [context.topic(), context.queue()];
      const log = context.log();
      const gate = context.gate();
      const count = 30;
      const slow = await context.receive(one, topic, {
        log,
        as: "slow",
        queue,
        concurrency: 2,
        prefetch: 5,
        handle: () => gate.pass(),
      });
      // The first ones are given time to be taken: only then is it the prefetch, and not the other's haste, that decides.
      await publishNumbered(one, topic, { count: 5, log });
      await context.untilSeen(2, slow);
      await publishNumbered(two, topic, { count: count - 5, from: 5, log });
      const free = await context.receive(two, topic, { log, as: "free", queue });
      await context.until(
        "the free member has everything but the prefetch of the slow one",
        () => free.seen.length >= count - 5,
        { detail: () => `it has ${free.seen.length} of ${count}` },
      );
      await context.quiet(() => free.seen.length);
      assert.equal(slow.seen.length, 2);
      assert.equal(free.seen.length, count - 5, "the slow member holds fewer messages than its prefetch");
      gate.open();
      await context.untilComplete(log);
      await context.quiet(() => log.count("slow") + log.count("free"));
      log.assertExact();
    },
  },
  {
    name: "a batch is answered message by message, in order, and arrives in order",
    promises: ["D1", "D8"],
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, { queue: context.queue(), concurrency: 1 });
      const messages = Array.from({ length: context.profile.few }, (_, number) => ({
        body: String(number),
        id: `${topic}-${number}`,
      }));
      const answers = await broker.publishBatch(topic, messages);
      assert.deepEqual(
        answers.map((answer) => ("id" in answer ? answer.id : answer.code)),
        messages.map((message) => message.id),
      );
      await context.untilSeen(messages.length, receiver);
      await context.quiet(() => receiver.seen.length);
      const bodies = messages.map((message) => message.body);
      assert.deepEqual(
        context.capabilities.ordered ? receiver.texts : receiver.texts.sort(),
        context.capabilities.ordered ? bodies : bodies.sort(),
      );
    },
  },
  {
    name: "an empty batch has no answers",
    promises: ["D1"],
    async run(context) {
      const broker = await context.open();
      assert.deepEqual(await broker.publishBatch(context.topic(), []), []);
    },
  },
];

/** F. Order and flow: what comes when, and how much at once. */
export const flow: readonly ConformanceCheck[] = inGroup("F", [...checks, ...keyChecks, ...floodChecks]);
