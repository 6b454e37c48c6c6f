import assert from "node:assert/strict";
import type { Delivery } from "../../../delivery.ts";
import { BrokerError } from "../../../errors.ts";
import type { CheckDefinition } from "../check.ts";
import type { CheckContext } from "../check-context.ts";
import { brings, standingQueues } from "../needs.ts";
import { caught } from "../rejects.ts";
import { ResourceTracker } from "../resource-tracker.ts";
import { pause } from "../until.ts";

/** A. Lifecycle: iterators that nobody reads, and that the process can exit. */
export const exitChecks: readonly CheckDefinition[] = [
  {
    name: "disconnect ends an unread iterator and gives its messages back",
    promises: ["D11"],
    needs: standingQueues,
    async run(context) {
      const [reader, other] = [await context.open(), await context.open()];
      const [topic, queue] = [context.topic(), context.queue()];
      await other.createQueue(topic, queue);
      const iterator = reader.messages(topic, { queue })[Symbol.asyncIterator]();
      await context.until("the iterator is a member", async () =>
        (await other.queues.list()).some((info) => info.queue === queue && info.members === 1),
      );
      for (let number = 0; number < 5; number += 1) await other.publish(topic, { body: String(number) });
      await reader.disconnect();
      assert.equal((await iterator.next()).done, true, "the iterator goes on after disconnect");
      const next = await context.receive(other, topic, { queue });
      await context.untilSeen(5, next);
      assert.deepEqual(next.texts.sort(), ["0", "1", "2", "3", "4"]);
      assert.deepEqual(new Set(next.seen.map((seen) => seen.attempt)), new Set([1]), "giving back cost an attempt");
    },
  },
  {
    name: "disconnect ends a pending next of an iterator",
    promises: ["D11"],
    async run(context) {
      // Probes that the iterator did not take are left behind.
      context.leavesMessages();
      const [reader, sender] = [await context.open(), await context.open()];
      const topic = context.topic();
      const iterator = reader.messages(topic)[Symbol.asyncIterator]();
      let first: IteratorResult<Delivery> | undefined;
      const taking = iterator.next().then((result) => {
        first = result;
      });
      // An iterator has no call that says that it is subscribed: a message that arrives does.
      while (first === undefined) {
        await sender.publish(topic, { body: "probe" });
        await pause(5);
      }
      await taking;
      await first.value?.ack();
      const pending = endOf(iterator);
      await reader.disconnect();
      assert.equal(await pending, "done");
    },
  },
  {
    name: "a subscribe on its way when the broker disconnects ends with it",
    promises: ["D11"],
    async run(context) {
      const [leaving, staying] = [await context.open(), await context.open()];
      const topic = context.topic();
      const queue = context.queue();
      const starts: string[] = [];
      const subscribing = caught(() =>
        leaving.subscribe(topic, (delivery) => void starts.push(delivery.id), { queue }),
      );
      const iterating = endOf(leaving.messages(topic, { queue })[Symbol.asyncIterator]());
      await leaving.disconnect();
      const failure = await subscribing;
      if (failure !== undefined) assert.equal((failure.thrown as BrokerError).code, "ERR_NOT_CONNECTED");
      const late = pause(context.profile.deadlineMs).then(() => "nothing, for ever");
      const end = await Promise.race([iterating, late]);
      assert.ok(["done", "ERR_NOT_CONNECTED"].includes(end), `the iterator's next turn was ${end}`);
      const member = await context.receive(staying, topic, { queue });
      for (let number = 0; number < 10; number += 1) await staying.publish(topic, { body: String(number) });
      await context.untilSeen(10, member);
      assert.deepEqual(starts, [], "a subscription of a closed broker takes messages");
    },
  },
  {
    name: "after disconnect no timer or socket keeps the process alive",
    promises: ["D11"],
    needs: brings("isolated"),
    async run(context) {
      const tracker = new ResourceTracker();
      context.defer(() => tracker.stop());
      await tracker.run(() => useEverything(context));
      await context.until("nothing keeps the process alive", () => tracker.alive.length === 0, {
        detail: () => `left over: ${tracker.alive.join(", ")}`,
      });
    },
  },
  {
    name: "a process that disconnected exits by itself",
    promises: ["D11"],
    needs: brings("spawn"),
    async run(context) {
      const worker = context.spawn("visit", { topic: context.topic(), subscribe: { ackTimeoutMs: 600_000 } });
      await context.until("the worker has disconnected", () => worker.has("closed"), {
        detail: () => worker.describe(),
      });
      await context.until("the worker's process has ended", () => worker.exit !== undefined, {
        detail: () => worker.describe(),
      });
      assert.deepEqual(worker.exit, { code: 0, signal: null }, worker.describe());
    },
  },
];

/** Uses a broker in every way that could leave something behind, and disconnects it. */
async function useEverything(context: CheckContext): Promise<void> {
  const broker = context.special("isolated", { acceptTimeoutMs: 600_000, drainTimeoutMs: 60_000 });
  await broker.connect();
  const topic = context.topic();
  const atLeastOnce = context.capabilities.guarantee === "at-least-once";
  let failed = false;
  const handle = (): void => {
    if (failed || !atLeastOnce) return;
    failed = true;
    throw new Error("fails once");
  };
  const broadcast = await context.receive(broker, topic, {
    ackTimeoutMs: 600_000,
    handle,
    ...(atLeastOnce ? { backoffMs: 10 } : {}),
  });
  const member = await context.receive(broker, topic, { queue: context.queue(), ackTimeoutMs: 600_000 });
  await broker.publish(topic, { body: "one" });
  await context.untilSeen(atLeastOnce ? 2 : 1, broadcast);
  await context.untilSeen(1, member);
  const iterator = broker.messages(topic)[Symbol.asyncIterator]();
  const pending = iterator.next();
  await broadcast.unsubscribe();
  await broker.disconnect();
  await pending;
}

/** How an iterator's next turn ends: with a delivery, with the end, or with an error's code. */
async function endOf(iterator: AsyncIterator<Delivery>): Promise<string> {
  try {
    return (await iterator.next()).done === true ? "done" : "a delivery";
  } catch (error) {
    return error instanceof BrokerError ? error.code : String(error);
  }
}
