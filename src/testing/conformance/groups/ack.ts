import assert from "node:assert/strict";
import { type CheckDefinition, type ConformanceCheck, inGroup } from "../check.ts";
import { all, atLeastOnce, atMostOnce, brings, standingQueues } from "../needs.ts";
import { publishNumbered } from "../publish-numbered.ts";
import { rejectsWith } from "../rejects.ts";
import { manualChecks } from "./ack-manual.ts";

const checks: readonly CheckDefinition[] = [
  {
    name: "a handler that returns acks: its message comes once",
    promises: ["D3"],
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const [topic, queue] = [context.topic(), context.queue()];
      const log = context.log();
      const first = await context.receive(one, topic, { log, as: "first", queue });
      await publishNumbered(two, topic, { count: 20, log });
      await context.untilComplete(log);
      await first.unsubscribe();
      await context.receive(two, topic, { log, as: "second", queue });
      await publishNumbered(two, topic, { count: 1, from: 20, log });
      await context.untilComplete(log);
      await context.quiet(() => log.count("first") + log.count("second"));
      log.assertExact();
    },
  },
  {
    name: "a handler that throws nacks: its message comes again, as the next attempt with the same id",
    promises: ["D3", "D4"],
    needs: atLeastOnce,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, {
        backoffMs: 10,
        queue: context.queue(),
        handle: (delivery) => {
          if (delivery.attempt < 3) throw new Error("not yet");
        },
      });
      const { id } = await broker.publish(topic, { body: "again" });
      await context.untilSeen(3, receiver);
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(
        receiver.seen.map((seen) => [seen.id, seen.attempt, seen.text]),
        [1, 2, 3].map((attempt) => [id, attempt, "again"]),
      );
    },
  },
  {
    name: "a message is acked only after its handler succeeded",
    promises: ["D3", "D11"],
    needs: standingQueues,
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const [topic, queue] = [context.topic(), context.queue()];
      const gate = context.gate();
      const stuck = await context.receive(one, topic, { queue, drainTimeoutMs: 50, handle: () => gate.pass() });
      await two.publish(topic, { body: "held" });
      await context.untilSeen(1, stuck);
      await context.until("the held message counts", async () =>
        (await two.queues.list()).some((info) => info.queue === queue && info.messages === 1),
      );
      await stuck.unsubscribe();
      const next = await context.receive(two, topic, { queue });
      await context.untilSeen(1, next);
      gate.open();
      await context.quiet(() => next.seen.length);
      assert.deepEqual(next.texts, ["held"]);
    },
  },
  {
    name: "a failing ack surfaces, and the message comes again",
    promises: ["D3"],
    needs: all(atLeastOnce, brings("faults")),
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, { queue: context.queue() });
      context.harness.faults?.failAcks(topic, 1);
      await broker.publish(topic, { body: "acked twice" });
      await context.untilSeen(2, receiver);
      await context.until("the failed ack was reported", () =>
        context.errors.some((error) => error.code === "ERR_CONNECTION_LOST"),
      );
      await context.quiet(() => receiver.seen.length);
      assert.equal(receiver.seen.length, 2);
    },
  },
  {
    name: "a failing ack rejects ack()",
    promises: ["D3"],
    needs: all(atLeastOnce, brings("faults")),
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const acks: Promise<unknown>[] = [];
      const receiver = await context.receive(broker, topic, {
        queue: context.queue(),
        autoAck: false,
        handle: (delivery) => {
          const first = acks.length === 0;
          const ack = first
            ? rejectsWith("ERR_CONNECTION_LOST", "an ack that the engine did not take", () => delivery.ack())
            : delivery.ack();
          acks.push(ack);
          return ack;
        },
      });
      context.harness.faults?.failAcks(topic, 1);
      await broker.publish(topic, { body: "acked twice" });
      await context.untilSeen(2, receiver);
      await Promise.all(acks);
    },
  },
  {
    name: "a message prefetched and given back costs no attempt, and none is lost",
    promises: ["D4", "D11"],
    needs: standingQueues,
    async run(context) {
      const [one, two] = [await context.open(), await context.open({ acceptTimeoutMs: 100 })];
      const [topic, queue] = [context.topic(), context.queue()];
      const log = context.log();
      await one.createQueue(topic, queue);
      await publishNumbered(two, topic, { count: 10, log });
      for (let round = 0; round < 3; round += 1) {
        const gate = context.gate();
        const holder = await context.receive(one, topic, {
          queue,
          concurrency: 1,
          prefetch: 10,
          drainTimeoutMs: 30_000,
          log,
          as: `holder-${round}`,
          handle: () => gate.pass(),
        });
        await context.untilSeen(1, holder);
        const leaving = holder.unsubscribe();
        gate.open();
        await leaving;
        assert.equal(holder.seen.length, 1, "a prefetched message was started while the subscription drained");
      }
      const rest = await context.receive(two, topic, { queue, log, as: "rest" });
      await context.untilComplete(log);
      await context.quiet(() => rest.seen.length);
      log.assertExact();
      assert.deepEqual(
        rest.seen.map((seen) => seen.attempt),
        [1, 1, 1, 1, 1, 1, 1],
        "a message that was only prefetched lost an attempt",
      );
    },
  },
  {
    name: "an at-most-once driver refuses retries and dead letters that are asked for",
    promises: ["D4", "D5"],
    needs: atMostOnce,
    async run(context) {
      const broker = await context.open();
      const asked = [{ maxAttempts: 3 }, { backoffMs: 100 }, { maxBackoffMs: 1_000 }, { deadLetter: "parked" }];
      for (const options of asked) {
        await rejectsWith("ERR_UNSUPPORTED", `subscribe with ${JSON.stringify(options)}`, () =>
          broker.subscribe(context.topic(), () => {}, options),
        );
      }
      for (const options of [{}, { maxAttempts: 1 }, { deadLetter: false as const }])
        await context.receive(broker, context.topic(), options);
    },
  },
  {
    name: "on an at-most-once driver a handler that throws is reported, and its message does not come again",
    promises: ["D3", "D4"],
    needs: atMostOnce,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, {
        handle: () => {
          throw new Error("failed");
        },
      });
      await broker.publish(topic, { body: "once" });
      await context.until("the failure was reported", () =>
        context.errors.some((error) => error.code === "ERR_HANDLER_FAILED"),
      );
      await context.quiet(() => receiver.seen.length);
      assert.equal(receiver.seen.length, 1);
    },
  },
];

/** D. Ack: who settles, when, and what it means. */
export const ack: readonly ConformanceCheck[] = inGroup("D", [...checks, ...manualChecks]);
