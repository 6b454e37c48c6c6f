import assert from "node:assert/strict";
import type { Delivery } from "../../../delivery.ts";
import type { CheckDefinition } from "../check.ts";
import { atLeastOnce } from "../needs.ts";
import { rejectsWith } from "../rejects.ts";

/** D. Ack: settling by hand, and settling too late. */
export const manualChecks: readonly CheckDefinition[] = [
  {
    name: "with autoAck false concurrency 1 holds the next message until the handler's is settled",
    promises: ["D3", "D7"],
    async run(context) {
      const broker = await context.open({ acceptTimeoutMs: 100 });
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, { autoAck: false, concurrency: 1, prefetch: 2 });
      await broker.publish(topic, { body: "first" });
      await broker.publish(topic, { body: "second" });
      await context.untilSeen(1, receiver);
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(receiver.texts, ["first"], "the next message started before the first was settled");
      await receiver.seen[0]?.delivery.ack();
      await context.untilSeen(2, receiver);
      await receiver.seen[1]?.delivery.ack();
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(receiver.texts, ["first", "second"]);
    },
  },
  {
    name: "settling twice is harmless, and only the first counts",
    promises: ["D3"],
    needs: atLeastOnce,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const settle: Record<string, (delivery: Delivery) => Promise<unknown>> = {
        "ack, then nack and reject": async (delivery) => {
          await delivery.ack();
          await delivery.ack();
          await delivery.nack();
          await delivery.reject("too late");
        },
        "nack, then ack": async (delivery) => {
          await delivery.nack({ delayMs: 0 });
          await delivery.ack();
        },
      };
      const receiver = await context.receive(broker, topic, {
        autoAck: false,
        queue: context.queue(),
        handle: (delivery, seen) => (delivery.attempt === 1 ? settle[seen.text]?.(delivery) : delivery.ack()),
      });
      for (const body of Object.keys(settle)) await broker.publish(topic, { body });
      await context.untilSeen(3, receiver);
      await context.quiet(() => receiver.seen.length);
      const starts = Object.keys(settle).map((text) => receiver.texts.filter((seen) => seen === text).length);
      assert.deepEqual(starts, [1, 2]);
    },
  },
  {
    name: "a handler that settled may still return or throw: nothing changes",
    promises: ["D3"],
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, {
        queue: context.queue(),
        handle: async (delivery) => {
          await delivery.ack();
          throw new Error("after the ack");
        },
      });
      await broker.publish(topic, { body: "acked" });
      await context.untilSeen(1, receiver);
      await context.quiet(() => receiver.seen.length);
      assert.equal(receiver.seen.length, 1);
    },
  },
  {
    name: "settling after the time limit is ERR_STALE_DELIVERY, and the message comes again",
    promises: ["D3", "D4"],
    needs: atLeastOnce,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, {
        autoAck: false,
        queue: context.queue(),
        ackTimeoutMs: 150,
        backoffMs: 10,
        maxAttempts: 2,
        handle: (delivery) => (delivery.attempt === 1 ? undefined : delivery.ack()),
      });
      await broker.publish(topic, { body: "late" });
      await context.untilSeen(2, receiver);
      const late = receiver.seen[0]?.delivery;
      assert.ok(late !== undefined);
      await rejectsWith("ERR_STALE_DELIVERY", "ack after the time limit", () => late.ack());
      await rejectsWith("ERR_STALE_DELIVERY", "nack after the time limit", () => late.nack());
      await rejectsWith("ERR_STALE_DELIVERY", "reject after the time limit", () => late.reject());
      await rejectsWith("ERR_STALE_DELIVERY", "extend after the time limit", () => late.extend(1_000));
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(
        receiver.seen.map((seen) => seen.attempt),
        [1, 2],
      );
    },
  },
  {
    name: "settling after the subscription ended is ERR_STALE_DELIVERY",
    promises: ["D3", "D11"],
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, { autoAck: false, drainTimeoutMs: 50 });
      await broker.publish(topic, { body: "kept" });
      await context.untilSeen(1, receiver);
      await receiver.unsubscribe();
      const kept = receiver.seen[0]?.delivery;
      assert.ok(kept !== undefined);
      await rejectsWith("ERR_STALE_DELIVERY", "ack after unsubscribe", () => kept.ack());
    },
  },
  {
    name: "extend keeps a slow handler's message its own",
    promises: ["D3", "D4"],
    needs: atLeastOnce,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const done = context.gate();
      const started = performance.now();
      const receiver = await context.receive(broker, topic, {
        queue: context.queue(),
        ackTimeoutMs: 300,
        backoffMs: 10,
        handle: (delivery) => {
          delivery.extend(60_000);
          return done.pass();
        },
      });
      await broker.publish(topic, { body: "slow" });
      await context.untilSeen(1, receiver);
      await context.until("twice the time limit has passed", () => performance.now() - started > 600);
      assert.equal(receiver.seen[0]?.delivery.signal.aborted, false, "an extended handler was aborted");
      done.open();
      await context.until("the handler has returned", () => receiver.returned === 1);
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(
        receiver.seen.map((seen) => seen.attempt),
        [1],
      );
    },
  },
  {
    name: "a handler past its time limit is aborted, and its slot stays taken until it ends",
    promises: ["D4", "D7"],
    needs: atLeastOnce,
    async run(context) {
      const broker = await context.open({ acceptTimeoutMs: 100 });
      const topic = context.topic();
      const gate = context.gate();
      const receiver = await context.receive(broker, topic, {
        queue: context.queue(),
        concurrency: 1,
        prefetch: 2,
        ackTimeoutMs: 200,
        backoffMs: 10,
        handle: (_delivery, seen) => (seen.text === "slow" && seen.attempt === 1 ? gate.pass() : undefined),
      });
      await broker.publish(topic, { body: "slow" });
      await broker.publish(topic, { body: "next" });
      await context.untilSeen(1, receiver);
      const { signal } = receiver.seen[0]?.delivery ?? {};
      await context.until("the slow handler was aborted", () => signal?.aborted);
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(receiver.texts, ["slow"], "another handler started in the slot of one that has not ended");
      gate.open();
      await context.untilSeen(3, receiver);
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(receiver.seen.map((seen) => [seen.text, seen.attempt]).sort(), [
        ["next", 1],
        ["slow", 1],
        ["slow", 2],
      ]);
    },
  },
  {
    name: "nack with a delay comes again no earlier than asked, and at most twice as late plus 1 s",
    promises: ["D3", "D4"],
    needs: atLeastOnce,
    measures: true,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const { retryDelaysMs } = context.capabilities;
      const askedMs = 400;
      const stepMs = retryDelaysMs === "any" ? askedMs : (retryDelaysMs.find((step) => step >= askedMs) ?? askedMs);
      const receiver = await context.receive(broker, topic, {
        autoAck: false,
        queue: context.queue(),
        handle: (delivery) => (delivery.attempt === 1 ? delivery.nack({ delayMs: askedMs }) : delivery.ack()),
      });
      await broker.publish(topic, { body: "later" });
      await context.untilSeen(2, receiver);
      const [first, second] = receiver.seen;
      assert.ok(first !== undefined && second !== undefined);
      const gapMs = second.at - first.at;
      // The clocks of a timer and of a measurement may disagree by a few milliseconds.
      assert.ok(gapMs >= askedMs - 5, `asked for ${askedMs} ms, it came after ${Math.round(gapMs)} ms`);
      assert.ok(gapMs <= 2 * stepMs + 1_000, `asked for ${askedMs} ms, it came after ${Math.round(gapMs)} ms`);
    },
  },
];
