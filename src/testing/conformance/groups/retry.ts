import assert from "node:assert/strict";
import { NonRetryableError } from "../../../errors.ts";
import { type CheckDefinition, type ConformanceCheck, inGroup } from "../check.ts";
import { deadLettersOf, dropDeadLetters } from "../dead-letters-of.ts";
import { all, atLeastOnce, deadLetters, otherProcess } from "../needs.ts";
import { deadLetterReaderChecks } from "./dead-letter-readers.ts";
import { deadLetterChecks } from "./dead-letters.ts";
import { redriveChecks } from "./redrive.ts";

const fail = (): never => {
  throw new Error("always fails");
};

const checks: readonly CheckDefinition[] = [
  {
    name: "a message that always fails is started exactly maxAttempts times, only in the failing queue",
    promises: ["D4", "D5"],
    needs: deadLetters,
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const topic = context.topic();
      const options = { queue: context.queue("failing"), maxAttempts: 3, backoffMs: 10, handle: fail };
      const failing = [await context.receive(one, topic, options), await context.receive(two, topic, options)];
      const healthy = await context.receive(two, topic, { queue: context.queue("healthy") });
      const broadcast = await context.receive(one, topic);
      const { id } = await one.publish(topic, { body: "poison" });
      await deadLettersOf(context, one, topic, 1);
      const starts = failing.flatMap((receiver) => receiver.seen);
      await context.quiet(
        () =>
          failing.reduce((sum, receiver) => sum + receiver.seen.length, 0) +
          healthy.seen.length +
          broadcast.seen.length,
      );
      assert.deepEqual(starts.map((seen) => seen.attempt).sort(), [1, 2, 3]);
      assert.deepEqual(new Set(starts.map((seen) => seen.id)), new Set([id]));
      assert.deepEqual(
        [healthy.seen.length, broadcast.seen.length],
        [1, 1],
        "another subscription got the message again",
      );
      await deadLettersOf(context, one, topic, 1);
    },
  },
  {
    name: "maxAttempts 1 means no retry",
    promises: ["D4", "D5"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, { queue: context.queue(), maxAttempts: 1, handle: fail });
      await broker.publish(topic, { body: "poison" });
      const [letter] = await deadLettersOf(context, broker, topic, 1);
      await context.quiet(() => receiver.seen.length);
      assert.equal(receiver.seen.length, 1);
      assert.equal(letter?.attempts, 1);
    },
  },
  {
    name: "a broadcast subscriber's failure is retried there alone",
    promises: ["D4"],
    needs: atLeastOnce,
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const topic = context.topic();
      const failing = await context.receive(one, topic, {
        backoffMs: 10,
        handle: (delivery) => {
          if (delivery.attempt === 1) throw new Error("once more");
        },
      });
      const others = [await context.receive(one, topic), await context.receive(two, topic)];
      await two.publish(topic, { body: "x" });
      await context.untilSeen(2, failing);
      for (const other of others) await context.untilSeen(1, other);
      await context.quiet(() => failing.seen.length + others.reduce((sum, other) => sum + other.seen.length, 0));
      assert.deepEqual(
        [failing, ...others].map((receiver) => receiver.seen.length),
        [2, 1, 1],
      );
    },
  },
  {
    name: "retries are spaced by the backoff, within bounds",
    promises: ["D4"],
    needs: deadLetters,
    measures: true,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, {
        queue: context.queue(),
        maxAttempts: 4,
        backoffMs: 100,
        maxBackoffMs: 250,
        handle: fail,
      });
      await broker.publish(topic, { body: "poison" });
      await deadLettersOf(context, broker, topic, 1);
      const { retryDelaysMs } = context.capabilities;
      const asked = [100, 200, 250];
      for (const [index, askedMs] of asked.entries()) {
        const gapMs = (receiver.seen[index + 1]?.at ?? 0) - (receiver.seen[index]?.at ?? 0);
        const latestMs = askedMs * 1.2;
        const stepMs =
          retryDelaysMs === "any" ? latestMs : (retryDelaysMs.find((step) => step >= latestMs) ?? latestMs);
        assert.ok(
          gapMs >= askedMs - 5,
          `attempt ${index + 2} came ${Math.round(gapMs)} ms after the one before instead of ${askedMs} ms`,
        );
        assert.ok(
          gapMs <= 2 * stepMs + 1_000,
          `attempt ${index + 2} came ${Math.round(gapMs)} ms after the one before instead of ${askedMs} ms`,
        );
      }
    },
  },
  {
    name: "a message that waits for its retry holds up no other",
    promises: ["D4"],
    needs: atLeastOnce,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      let failures = 0;
      const receiver = await context.receive(broker, topic, {
        queue: context.queue(),
        concurrency: 1,
        backoffMs: 1_500,
        handle: (_delivery, seen) => {
          if (seen.text !== "poison" || seen.attempt > 1) return;
          failures += 1;
          throw new Error("later");
        },
      });
      await broker.publish(topic, { body: "poison" });
      await context.until("the first attempt failed", () => failures === 1);
      for (let number = 0; number < 10; number += 1) await broker.publish(topic, { body: "other" });
      await context.untilSeen(12, receiver);
      assert.deepEqual(receiver.texts, ["poison", ...Array.from({ length: 10 }, () => "other"), "poison"]);
    },
  },
  {
    name: "NonRetryableError skips the retries",
    promises: ["D5"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, {
        queue: context.queue(),
        backoffMs: 10,
        handle: () => {
          throw new NonRetryableError("never will");
        },
      });
      await broker.publish(topic, { body: "poison" });
      const [letter] = await deadLettersOf(context, broker, topic, 1);
      await context.quiet(() => receiver.seen.length);
      assert.equal(receiver.seen.length, 1);
      assert.deepEqual([letter?.reason, letter?.attempts], ["never will", 1]);
    },
  },
  {
    name: "reject skips the retries",
    promises: ["D5"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, {
        queue: context.queue(),
        autoAck: false,
        handle: (delivery) => delivery.reject("no use"),
      });
      await broker.publish(topic, { body: "poison" });
      const [letter] = await deadLettersOf(context, broker, topic, 1);
      await context.quiet(() => receiver.seen.length);
      assert.equal(receiver.seen.length, 1);
      assert.deepEqual([letter?.reason, letter?.attempts], ["no use", 1]);
    },
  },
  {
    name: "a message that times out on every attempt ends as a dead letter",
    promises: ["D4", "D5"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const gate = context.gate();
      const receiver = await context.receive(broker, topic, {
        queue: context.queue(),
        ackTimeoutMs: 100,
        backoffMs: 10,
        maxAttempts: 2,
        handle: () => gate.pass(),
      });
      await broker.publish(topic, { body: "slow" });
      const [letter] = await deadLettersOf(context, broker, topic, 1);
      assert.deepEqual(
        receiver.seen.map((seen) => seen.attempt),
        [1, 2],
      );
      assert.equal(letter?.attempts, 2);
    },
  },
  {
    name: "a message that kills its process every time ends as a dead letter",
    promises: ["D4", "D5"],
    needs: all(deadLetters, otherProcess),
    async run(context) {
      const broker = await context.open({ acceptTimeoutMs: 100 });
      const [topic, queue] = [context.topic(), context.queue()];
      const subscribe = { queue, maxAttempts: 2, backoffMs: 10 };
      dropDeadLetters(context, broker, topic);
      await broker.createQueue(topic, queue);
      await broker.publish(topic, { body: "lethal" });
      const isDead = async (): Promise<boolean> => (await broker.deadLetters.list(`dlq.${topic}`)).length > 0;
      let starts = 0;
      // Two deaths spend the attempts; whoever comes next must not start it.
      for (let life = 0; life < 4 && !(await isDead()); life += 1) {
        const worker = context.spawn("subscribe", { topic, subscribe, behaviour: "die" });
        await context.until(
          "the worker died or the message did",
          async () => worker.exit !== undefined || (await isDead()),
          { detail: () => worker.describe() },
        );
        worker.kill("SIGKILL");
        await worker.exited;
        starts += worker.of("started").length;
      }
      const [letter] = await deadLettersOf(context, broker, topic, 1);
      assert.equal(starts, 2, "the message was not started exactly maxAttempts times");
      assert.equal(Buffer.from(letter?.body ?? "").toString(), "lethal");
    },
  },
];

/** E. Retry and dead letters: how often, how late, and what becomes of what fails for good. */
export const retry: readonly ConformanceCheck[] = inGroup("E", [
  ...checks,
  ...deadLetterChecks,
  ...deadLetterReaderChecks,
  ...redriveChecks,
]);
