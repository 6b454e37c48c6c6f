import assert from "node:assert/strict";
import type { CheckDefinition } from "../check.ts";
import { publishNumbered } from "../publish-numbered.ts";
import { pause } from "../until.ts";

/** B. Delivery: queues with several members, and broadcast subscriptions beside them. */
export const memberChecks: readonly CheckDefinition[] = [
  {
    name: "two queues each get all",
    promises: ["D2"],
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const topic = context.topic();
      const log = context.log();
      await context.receive(one, topic, { log, as: "billing", queue: context.queue("billing") });
      await context.receive(two, topic, { log, as: "audit", queue: context.queue("audit") });
      await publishNumbered(one, topic, { count: 50, log });
      for (const name of ["billing", "audit"]) await context.untilComplete(log, [name]);
      await context.quiet(() => log.count("billing") + log.count("audit"));
      for (const name of ["billing", "audit"]) log.assertExact([name]);
    },
  },
  {
    name: "a queue splits over members of several brokers, the sum is exact, and free members take turns",
    promises: ["D2"],
    async run(context) {
      const brokers = [await context.open(), await context.open(), await context.open()];
      const [topic, queue] = [context.topic(), context.queue()];
      const log = context.log();
      const names = brokers.map((_, index) => `member-${index}`);
      // Handlers that take some time make members equally busy, however near to the publisher they are.
      const options = { log, queue, concurrency: 1, handle: () => pause(2) };
      for (const [index, broker] of brokers.entries())
        await context.receive(broker, topic, { ...options, as: names[index] ?? "" });
      const sender = await context.open();
      const count = context.profile.few;
      await publishNumbered(sender, topic, { count, log, window: 8 });
      await context.untilComplete(log);
      await context.quiet(() => names.reduce((sum, name) => sum + log.count(name), 0));
      log.assertExact();
      const shares = names.map((name) => log.count(name));
      assert.ok(Math.min(...shares) >= count / 10, `members equally free got ${shares.join(", ")} of ${count}`);
    },
  },
  {
    name: "two members in one process share a queue",
    promises: ["D2"],
    async run(context) {
      const broker = await context.open();
      const [topic, queue] = [context.topic(), context.queue()];
      const log = context.log();
      await context.receive(broker, topic, { log, as: "one", queue });
      await context.receive(broker, topic, { log, as: "two", queue });
      await publishNumbered(broker, topic, { count: 50, log });
      await context.untilComplete(log);
      await context.quiet(() => log.count("one") + log.count("two"));
      log.assertExact();
      assert.ok(log.count("one") > 0 && log.count("two") > 0, "one member got everything");
    },
  },
  {
    name: "two queues and two broadcast subscribers in one process",
    promises: ["D2"],
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const [billing, audit] = [context.queue("billing"), context.queue("audit")];
      const log = context.log();
      for (const as of ["billing-1", "billing-2"]) await context.receive(broker, topic, { log, as, queue: billing });
      for (const as of ["audit-1", "audit-2"]) await context.receive(broker, topic, { log, as, queue: audit });
      for (const as of ["all-1", "all-2"]) await context.receive(broker, topic, { log, as });
      await publishNumbered(broker, topic, { count: 50, log });
      const shares = [["billing-1", "billing-2"], ["audit-1", "audit-2"], ["all-1"], ["all-2"]];
      for (const share of shares) await context.untilComplete(log, share);
      await context.quiet(() => shares.flat().reduce((sum, name) => sum + log.count(name), 0));
      for (const share of shares) log.assertExact(share);
    },
  },
  {
    name: "a queue is its topic plus its name",
    promises: ["D2", "D10"],
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const root = context.topic();
      const queue = context.queue();
      const log = context.log();
      const patterns = [`${root}.created`, `${root}.*`, `${root}.>`];
      for (const [index, pattern] of patterns.entries())
        await context.receive(index === 0 ? one : two, pattern, { log, as: pattern, queue });
      const elsewhere = await context.receive(two, context.topic(), { queue });
      await publishNumbered(one, `${root}.created`, { count: 20, log });
      for (const pattern of patterns) await context.untilComplete(log, [pattern]);
      await context.quiet(() => patterns.reduce((sum, pattern) => sum + log.count(pattern), 0));
      for (const pattern of patterns) log.assertExact([pattern]);
      assert.equal(elsewhere.seen.length, 0, "a queue of the same name on another topic got messages");
    },
  },
  {
    name: "members join late and leave, and the sum stays exact",
    promises: ["D2", "D11"],
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const [topic, queue] = [context.topic(), context.queue()];
      const log = context.log();
      const third = Math.ceil(context.profile.several / 3);
      const publish = (round: number): Promise<void> =>
        publishNumbered(one, topic, { count: third, from: round * third, log, window: 8 });
      const first = await context.receive(one, topic, { log, as: "first", queue });
      await publish(0);
      const late = await context.receive(two, topic, { log, as: "late", queue });
      await publish(1);
      await context.untilSeen(1, late);
      const publishing = publish(2);
      await first.unsubscribe();
      await publishing;
      await context.untilComplete(log);
      await context.quiet(() => log.count("first") + log.count("late"));
      log.assertExact();
    },
  },
  {
    name: "unsubscribing one keeps the others",
    promises: ["D2", "D11"],
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const [topic, queue] = [context.topic(), context.queue()];
      const log = context.log();
      const leaving = [await context.receive(one, topic), await context.receive(one, topic, { queue })];
      await context.receive(one, topic, { log, as: "broadcast" });
      await context.receive(two, topic, { log, as: "elsewhere" });
      await context.receive(one, topic, { log, as: "member-1", queue });
      await context.receive(two, topic, { log, as: "member-2", queue });
      for (const receiver of leaving) await receiver.unsubscribe();
      await publishNumbered(two, topic, { count: 20, log });
      const shares = [["broadcast"], ["elsewhere"], ["member-1", "member-2"]];
      for (const share of shares) await context.untilComplete(log, share);
      await context.quiet(() => shares.flat().reduce((sum, name) => sum + log.count(name), 0));
      for (const share of shares) log.assertExact(share);
      assert.equal(
        leaving.reduce((sum, receiver) => sum + receiver.seen.length, 0),
        0,
      );
    },
  },
];
