import assert from "node:assert/strict";
import type { CheckDefinition } from "../check.ts";
import { all, atLeastOnce, otherProcess } from "../needs.ts";
import { numberedBody } from "../sequence-log.ts";

/** B. Delivery: between processes. */
export const processChecks: readonly CheckDefinition[] = [
  {
    name: "a member that dies while it handles messages costs none",
    promises: ["D2", "D4"],
    needs: all(atLeastOnce, otherProcess),
    async run(context) {
      const broker = await context.open({ acceptTimeoutMs: 100 });
      const [topic, queue] = [context.topic(), context.queue()];
      const worker = context.spawn("subscribe", {
        topic,
        subscribe: { queue, concurrency: 4, prefetch: 4 },
        behaviour: "hold",
      });
      await context.until("the worker is ready", () => worker.has("ready"));
      for (let number = 0; number < 4; number += 1) await broker.publish(topic, { body: String(number) });
      await context.until("the worker holds the messages", () => worker.of("started").length === 4);
      worker.kill("SIGKILL");
      await worker.exited;
      const survivor = await context.receive(broker, topic, { queue });
      await context.untilSeen(4, survivor);
      await context.quiet(() => survivor.seen.length);
      assert.deepEqual(survivor.texts.sort(), ["0", "1", "2", "3"]);
      for (const seen of survivor.seen)
        assert.ok(seen.attempt <= 2, `a process that died cost ${seen.attempt - 1} attempts`);
    },
  },
  {
    name: "publishers and members in separate processes lose and double nothing",
    promises: ["D1", "D2"],
    needs: otherProcess,
    async run(context) {
      const broker = await context.open();
      const [topic, queue] = [context.topic(), context.queue()];
      const log = context.log();
      const count = context.profile.few;
      const members = [0, 1].map(() => context.spawn("subscribe", { topic, subscribe: { queue } }));
      for (const member of members)
        await context.until("the member is ready", () => member.has("ready"), { detail: () => member.describe() });
      await context.receive(broker, topic, { log, as: "broadcast" });
      const publishers = ["one", "two"];
      for (const publisher of publishers) for (let number = 0; number < count; number += 1) log.sent(publisher, number);
      const sending = publishers.map((publisher) => context.spawn("publish", { topic, publisher, count }));
      for (const worker of sending) {
        await context.until("the publisher has exited", () => worker.exit !== undefined, {
          detail: () => worker.describe(),
        });
        assert.deepEqual(worker.exit, { code: 0, signal: null }, worker.describe());
      }
      await context.untilComplete(log, ["broadcast"]);
      const got = (): string[] => members.flatMap((member) => member.of("finished").map((report) => report.text));
      await context.until("the members have everything", () => got().length >= 2 * count);
      await context.quiet(() => got().length + log.count("broadcast"));
      log.assertExact(["broadcast"]);
      const sent = publishers.flatMap((publisher) =>
        Array.from({ length: count }, (_, number) => numberedBody(publisher, number)),
      );
      assert.deepEqual(got().sort(), sent.sort());
    },
  },
];
