import assert from "node:assert/strict";
import { type CheckDefinition, type ConformanceCheck, inGroup } from "../check.ts";
import { atLeastOnce, standingQueues } from "../needs.ts";
import { publishNumbered } from "../publish-numbered.ts";
import { caught, rejectsWith } from "../rejects.ts";
import { pause } from "../until.ts";
import { terminationChecks } from "./shutdown-termination.ts";

const checks: readonly CheckDefinition[] = [
  {
    name: "disconnect under load: running handlers finish, the rest goes back with no attempt counted, none is dead-lettered",
    promises: ["D11", "D4"],
    needs: standingQueues,
    async run(context) {
      const [leaving, staying] = [await context.open(), await context.open({ acceptTimeoutMs: 50 })];
      const [topic, queue] = [context.topic(), context.queue()];
      const log = context.log();
      const first = await context.receive(leaving, topic, {
        log,
        as: "leaving",
        queue,
        concurrency: 4,
        prefetch: 12,
        maxAttempts: 1,
        handle: () => pause(20),
      });
      const publishing = publishNumbered(staying, topic, { count: context.profile.few, log, window: 16 });
      await context.untilSeen(4, first);
      const started = leaving.disconnect().then(() => first.seen.length);
      const startedAtEnd = await started;
      assert.equal(first.returned, startedAtEnd, "disconnect resolved while handlers were running");
      await publishing;
      const rest = await context.receive(staying, topic, { log, as: "staying", queue, maxAttempts: 1 });
      await context.untilComplete(log);
      await context.quiet(() => log.count("leaving") + log.count("staying"));
      log.assertExact();
      assert.equal(first.seen.length, startedAtEnd, "a handler started after disconnect resolved");
      assert.ok(
        rest.seen.every((seen) => seen.attempt === 1),
        "giving back cost an attempt",
      );
      if (context.capabilities.deadLetters) assert.deepEqual(await staying.deadLetters.list(`dlq.${topic}`), []);
    },
  },
  {
    name: "fetching stops first: no handler starts once disconnect was called",
    promises: ["D11"],
    needs: standingQueues,
    async run(context) {
      const [leaving, other] = [await context.open(), await context.open({ acceptTimeoutMs: 50 })];
      const [topic, queue] = [context.topic(), context.queue()];
      const gate = context.gate();
      const receiver = await context.receive(leaving, topic, {
        queue,
        concurrency: 2,
        prefetch: 8,
        handle: () => gate.pass(),
      });
      await publishNumbered(other, topic, { count: 8 });
      await context.untilSeen(2, receiver);
      const closing = leaving.disconnect();
      await publishNumbered(other, topic, { count: 4, from: 8 });
      gate.open();
      await closing;
      assert.equal(receiver.seen.length, 2, "a handler started after disconnect was called");
      const rest = await context.receive(other, topic, { queue });
      await context.untilSeen(10, rest);
      await context.quiet(() => rest.seen.length);
      assert.equal(new Set([...receiver.texts, ...rest.texts]).size, 12);
    },
  },
  {
    name: "the drain deadline of disconnect holds, and a stuck message goes to another member",
    promises: ["D11"],
    needs: standingQueues,
    measures: true,
    async run(context) {
      const [stuck, other] = [await context.open({ drainTimeoutMs: 300 }), await context.open()];
      const [topic, queue] = [context.topic(), context.queue()];
      const gate = context.gate();
      const receiver = await context.receive(stuck, topic, { queue, handle: () => gate.pass() });
      await other.publish(topic, { body: "stuck" });
      await context.untilSeen(1, receiver);
      const { signal } = receiver.seen[0]?.delivery ?? {};
      const startedAt = performance.now();
      await stuck.disconnect();
      const tookMs = performance.now() - startedAt;
      assert.ok(tookMs >= 250, `the running handler was given ${Math.round(tookMs)} ms of 300 to finish`);
      assert.ok(tookMs < 5_000, `disconnect took ${Math.round(tookMs)} ms with a drain deadline of 300`);
      assert.equal(signal?.aborted, true, "the handler past the deadline was not aborted");
      const next = await context.receive(other, topic, { queue });
      await context.untilSeen(1, next);
      await context.quiet(() => next.seen.length);
      assert.deepEqual(next.texts, ["stuck"]);
    },
  },
  {
    name: "the drain deadline of unsubscribe holds",
    promises: ["D11"],
    measures: true,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const gate = context.gate();
      const receiver = await context.receive(broker, topic, { drainTimeoutMs: 200, handle: () => gate.pass() });
      await broker.publish(topic, { body: "stuck" });
      await context.untilSeen(1, receiver);
      const startedAt = performance.now();
      await receiver.unsubscribe();
      const tookMs = performance.now() - startedAt;
      assert.ok(tookMs < 5_000, `unsubscribe took ${Math.round(tookMs)} ms with a drain deadline of 200`);
    },
  },
  {
    name: "publishes from handlers that run while the broker drains still pass",
    promises: ["D11", "D1"],
    async run(context) {
      const [leaving, other] = [await context.open(), await context.open()];
      const [topic, replies] = [context.topic(), context.topic("replies")];
      const gate = context.gate();
      const answers = await context.receive(other, replies);
      const receiver = await context.receive(leaving, topic, {
        queue: context.queue(),
        handle: async (_delivery, seen) => {
          await gate.pass();
          await leaving.publish(replies, { body: `reply to ${seen.text}` });
        },
      });
      await other.publish(topic, { body: "question" });
      await context.untilSeen(1, receiver);
      const closing = leaving.disconnect();
      await context.until("the broker drains", () => leaving.status === "draining");
      gate.open();
      await closing;
      await context.untilSeen(1, answers);
      assert.equal(receiver.returned, 1, "the handler's publish failed while the broker drained");
      await context.quiet(() => answers.seen.length);
      assert.deepEqual(answers.texts, ["reply to question"]);
    },
  },
  {
    name: "what was published before disconnect reaches live targets",
    promises: ["D1", "D11"],
    async run(context) {
      const [sender, receiver] = [await context.open(), await context.open()];
      const topic = context.topic();
      const log = context.log();
      await context.receive(receiver, topic, {
        log,
        as: "queue",
        queue: context.queue(),
        concurrency: 2,
        handle: () => pause(1),
      });
      await context.receive(receiver, topic, { log, as: "broadcast" });
      const publishing = publishNumbered(sender, topic, { count: 50, log, window: 50 });
      const failed = caught(() => publishing);
      await sender.disconnect();
      assert.equal(await failed, undefined, "a publish failed that began before disconnect");
      for (const name of ["queue", "broadcast"]) await context.untilComplete(log, [name]);
      await context.quiet(() => log.count("queue") + log.count("broadcast"));
      for (const name of ["queue", "broadcast"]) log.assertExact([name]);
    },
  },
  {
    name: "what disconnect gives up is counted in ERR_UNDELIVERED, and what is kept elsewhere is not",
    promises: ["D1", "D13"],
    needs: atLeastOnce,
    async run(context) {
      context.leavesMessages();
      const broker = await context.open();
      const topic = context.topic();
      const states = [];
      for (let number = 0; number < 3; number += 1)
        states.push((await broker.publish(topic, { body: String(number) })).state);
      if (states[0] === "waiting" && !context.capabilities.durable) {
        const error = await rejectsWith("ERR_UNDELIVERED", "disconnect with waiting messages", () =>
          broker.disconnect(),
        );
        assert.equal(error.count, 3);
      } else await broker.disconnect();
      assert.equal(broker.status, "closed");
      await broker.disconnect();
    },
  },
];

/** K. Shutdown: draining under load, in this process and in others. */
export const shutdown: readonly ConformanceCheck[] = inGroup("K", [...checks, ...terminationChecks]);
