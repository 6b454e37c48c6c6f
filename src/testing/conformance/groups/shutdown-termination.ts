import assert from "node:assert/strict";
import type { CheckDefinition } from "../check.ts";
import type { CheckContext } from "../check-context.ts";
import { all, otherProcess, standingQueues } from "../needs.ts";
import { publishNumbered } from "../publish-numbered.ts";
import type { WorkerProcess } from "../worker-process.ts";

/** K. Shutdown: a process that is told to end. */
export const terminationChecks: readonly CheckDefinition[] = [
  {
    name: "SIGTERM under load: running handlers finish and publish, the rest goes back, none is lost, doubled or dead-lettered",
    promises: ["D11", "D4"],
    needs: all(standingQueues, otherProcess),
    async run(context) {
      const broker = await context.open({ acceptTimeoutMs: 50 });
      const [topic, queue, replyTopic] = [context.topic(), context.queue(), context.topic("replies")];
      const log = context.log();
      const replies = context.log();
      const subscribe = { queue, concurrency: 4, prefetch: 12, maxAttempts: 1 };
      await context.receive(broker, replyTopic, { log: replies });
      const worker = context.spawn("subscribe", { topic, subscribe, handlerMs: 20, replyTopic });
      await context.until("the worker is ready", () => worker.has("ready"), { detail: () => worker.describe() });
      const publishing = publishNumbered(broker, topic, { count: context.profile.few, log, window: 16 });
      await context.until("the worker handles messages", () => worker.of("finished").length >= 4);
      worker.kill("SIGTERM");
      await exitsCleanly(context, worker);
      const finished = worker.of("finished").map((report) => report.text);
      assert.equal(worker.of("started").length, finished.length, "a handler was cut off");
      for (const text of finished) {
        log.received("worker", text);
        replies.sent(text.slice(0, text.lastIndexOf("#")), Number(text.slice(text.lastIndexOf("#") + 1)));
      }
      await publishing;
      const rest = await context.receive(broker, topic, { log, as: "rest", queue, maxAttempts: 1 });
      await context.untilComplete(log);
      await context.untilComplete(replies);
      await context.quiet(() => rest.seen.length + replies.count("receiver"));
      log.assertExact();
      replies.assertExact();
      assert.ok(
        rest.seen.every((seen) => seen.attempt === 1),
        "giving back cost an attempt",
      );
      if (context.capabilities.deadLetters) assert.deepEqual(await broker.deadLetters.list(`dlq.${topic}`), []);
    },
  },
  {
    name: "SIGTERM with a stuck handler: the drain deadline holds, the process ends, and another member gets the message",
    promises: ["D11"],
    needs: all(standingQueues, otherProcess),
    async run(context) {
      const broker = await context.open();
      const [topic, queue] = [context.topic(), context.queue()];
      const worker = context.spawn("subscribe", {
        topic,
        subscribe: { queue },
        behaviour: "hold",
        broker: { drainTimeoutMs: 300 },
      });
      await context.until("the worker is ready", () => worker.has("ready"), { detail: () => worker.describe() });
      await broker.publish(topic, { body: "stuck" });
      await context.until("the worker holds the message", () => worker.of("started").length === 1);
      worker.kill("SIGTERM");
      await exitsCleanly(context, worker);
      const next = await context.receive(broker, topic, { queue });
      await context.untilSeen(1, next);
      await context.quiet(() => next.seen.length);
      assert.deepEqual(next.texts, ["stuck"]);
    },
  },
];

async function exitsCleanly(context: CheckContext, worker: WorkerProcess): Promise<void> {
  await context.until("the worker's process has ended by itself", () => worker.exit !== undefined, {
    detail: () => worker.describe(),
  });
  assert.deepEqual(worker.exit, { code: 0, signal: null }, worker.describe());
}
