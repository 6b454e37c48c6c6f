import assert from "node:assert/strict";
import type { Broker } from "../../../broker.ts";
import type { CheckDefinition } from "../check.ts";
import type { CheckContext } from "../check-context.ts";
import { atLeastOnce, otherProcess } from "../needs.ts";
import { numberedBody, type SequenceLog } from "../sequence-log.ts";
import { pause } from "../until.ts";

const BODY_BYTES = 16 * 1024;
const MIB = 1024 * 1024;

/** F. Order and flow: a slow consumer under a fast publisher. */
export const floodChecks: readonly CheckDefinition[] = [
  {
    name: "a slow consumer slows its publisher, and nothing is dropped",
    promises: ["D7", "D1"],
    needs: (target) => atLeastOnce(target),
    async run(context) {
      const [sender, receiver] = [await context.open(), await context.open()];
      const topic = context.topic();
      const log = context.log();
      const prefetch = 4;
      const slow = await context.receive(receiver, topic, {
        log,
        queue: context.queue(),
        concurrency: 2,
        prefetch,
        handle: () => pause(2),
      });
      let answered = 0;
      let ahead = 0;
      await flood(sender, topic, context.profile.few, log, (state) => {
        answered += 1;
        // An engine that stores what waits may run ahead of its consumer; one that hands over may not.
        if (state === "accepted") ahead = Math.max(ahead, answered - slow.returned);
      });
      await context.untilComplete(log);
      await context.quiet(() => slow.seen.length);
      log.assertExact();
      // One handler's end and the answer of the publish that takes its place may be seen in either order.
      assert.ok(
        ahead <= prefetch + 2,
        `${ahead} messages were accepted and not handled, with a prefetch of ${prefetch}`,
      );
    },
  },
  {
    name: "a flood past a slow consumer leaves the memory of its process bounded",
    promises: ["D7"],
    needs: (target) => atLeastOnce(target) ?? otherProcess(target),
    measures: true,
    async run(context) {
      const broker = await context.open({ acceptTimeoutMs: 120_000 });
      const topic = context.topic();
      const log = context.log();
      const worker = context.spawn("subscribe", {
        topic,
        subscribe: { queue: context.queue(), concurrency: 2, prefetch: 8 },
        handlerMs: 1,
      });
      await context.until("the worker is ready", () => worker.has("ready"), { detail: () => worker.describe() });
      await sendFlood(context, broker, topic, log);
      await context.until("the worker has everything", () => worker.of("finished").length >= floodCount(context), {
        deadlineMs: 4 * context.profile.deadlineMs,
      });
      for (const report of worker.of("finished"))
        log.received("worker", report.text.slice(0, report.text.indexOf(" ")));
      log.assertExact();
      const rss = worker.of("started").map((report) => report.rssBytes);
      const settled = Math.max(...rss.slice(0, Math.ceil(rss.length / 5)));
      const growthMiB = Math.round((Math.max(...rss) - settled) / MIB);
      assert.ok(
        growthMiB <= Math.max(64, context.profile.floodMiB / 3),
        `the consumer's process grew by ${growthMiB} MiB under ${context.profile.floodMiB} MiB of messages`,
      );
    },
  },
];

function floodCount(context: CheckContext): number {
  return Math.ceil((context.profile.floodMiB * MIB) / BODY_BYTES);
}

async function sendFlood(context: CheckContext, broker: Broker, topic: string, log: SequenceLog): Promise<void> {
  await flood(broker, topic, floodCount(context), log, () => {}, Buffer.alloc(BODY_BYTES, " ").toString());
}

/** Publishes as fast as answers come, with four publishes in flight. */
async function flood(
  broker: Broker,
  topic: string,
  count: number,
  log: SequenceLog,
  onAnswer: (state: string) => void,
  padding = "",
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const number = next;
      next += 1;
      log.sent("p", number);
      const { state } = await broker.publish(topic, { body: numberedBody("p", number) + padding });
      onAnswer(state);
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
}
