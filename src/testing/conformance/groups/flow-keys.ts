import assert from "node:assert/strict";
import type { CheckDefinition } from "../check.ts";
import type { CheckContext } from "../check-context.ts";
import { all, atLeastOnce, has, standingQueues } from "../needs.ts";
import { publishNumbered } from "../publish-numbered.ts";

/** F. Order and flow: `orderBy: "key"`. */
export const keyChecks: readonly CheckDefinition[] = [
  {
    name: "orderBy key with one key: one at a time and in order, retries included",
    promises: ["D8", "D4"],
    needs: all(atLeastOnce, has("ordered")),
    run: (context) => keyed(context, 1),
  },
  {
    name: "orderBy key with 16 keys: each one at a time and in order, retries included, and several at once",
    promises: ["D8", "D4"],
    needs: all(atLeastOnce, has("ordered")),
    run: (context) => keyed(context, 16),
  },
  {
    name: "orderBy key: a key that waits for its retry holds up its own messages only",
    promises: ["D8", "D4"],
    needs: all(atLeastOnce, has("ordered")),
    async run(context) {
      const broker = await context.open({ acceptTimeoutMs: 100 });
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, {
        queue: context.queue(),
        orderBy: "key",
        concurrency: 2,
        backoffMs: 1_500,
        handle: (_delivery, seen) => {
          if (seen.text === "a1" && seen.attempt === 1) throw new Error("later");
        },
      });
      for (const body of ["a1", "a2", "b1", "b2", "-1"])
        await broker.publish(topic, { body }, body.startsWith("-") ? {} : { key: body.slice(0, 1) });
      await context.untilSeen(4, receiver);
      await context.until("the other keys are done", () => receiver.returned >= 3);
      assert.deepEqual(
        [...receiver.texts].sort(),
        ["-1", "a1", "b1", "b2"],
        "a message overtook one of its key that waits for a retry",
      );
      await context.untilSeen(6, receiver);
      assert.deepEqual(
        receiver.seen.filter((seen) => seen.key === "a").map((seen) => [seen.text, seen.attempt]),
        [
          ["a1", 1],
          ["a1", 2],
          ["a2", 1],
        ],
      );
    },
  },
  {
    name: "orderBy key: a message that fails for good lets the next of its key run",
    promises: ["D8", "D5"],
    needs: all(atLeastOnce, has("ordered")),
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, {
        queue: context.queue(),
        orderBy: "key",
        maxAttempts: 2,
        backoffMs: 10,
        deadLetter: false,
        handle: (_delivery, seen) => {
          if (seen.text === "1") throw new Error("always");
        },
      });
      for (const body of ["1", "2"]) await broker.publish(topic, { body }, { key: "k" });
      await context.untilSeen(3, receiver);
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(
        receiver.seen.map((seen) => [seen.text, seen.attempt]),
        [
          ["1", 1],
          ["1", 2],
          ["2", 1],
        ],
      );
    },
  },
  {
    name: "orderBy key: draining gives back what waits, with the attempts it has used, and in order",
    promises: ["D8", "D11", "D4"],
    needs: all(standingQueues, has("ordered")),
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const [topic, queue] = [context.topic(), context.queue()];
      const leaving = await context.receive(one, topic, {
        queue,
        orderBy: "key",
        backoffMs: 60_000,
        maxBackoffMs: 60_000,
        handle: (_delivery, seen) => {
          if (seen.text === "1") throw new Error("much later");
        },
      });
      for (const body of ["1", "2", "3"]) await two.publish(topic, { body }, { key: "k" });
      await context.untilSeen(1, leaving);
      await context.until("the failure was reported", () =>
        context.errors.some((error) => error.code === "ERR_HANDLER_FAILED"),
      );
      await leaving.unsubscribe();
      const next = await context.receive(two, topic, { queue, orderBy: "key" });
      await context.untilSeen(2, next);
      await context.quiet(() => next.seen.length);
      // The delay of the first has not passed: what is promised of it is that it waits, not that the others do.
      assert.deepEqual(
        next.seen.map((seen) => [seen.text, seen.attempt]),
        [
          ["2", 1],
          ["3", 1],
        ],
      );
      assert.ok(
        (await two.queues.list()).some((info) => info.queue === queue && info.messages === 1),
        "the message that waits for its retry was lost",
      );
      await two.queues.remove(topic, queue);
    },
  },
];

/** Sends a load over `keys` keys, one message in seven failing once; checks order within and overlap between keys. */
async function keyed(context: CheckContext, keys: number): Promise<void> {
  const [sender, member] = [await context.open(), await context.open()];
  const topic = context.topic();
  const log = context.log();
  const running = new Map<string | undefined, number>();
  const done = new Map<string | undefined, number[]>();
  const overlaps: string[] = [];
  let together = 0;
  const receiver = await context.receive(member, topic, {
    queue: context.queue(),
    orderBy: "key",
    concurrency: 8,
    backoffMs: 5,
    maxBackoffMs: 10,
    handle: async (_delivery, seen) => {
      const { key, text } = seen;
      const number = Number(text.slice(text.lastIndexOf("#") + 1));
      if ((running.get(key) ?? 0) > 0) overlaps.push(text);
      running.set(key, (running.get(key) ?? 0) + 1);
      together = Math.max(
        together,
        [...running.values()].reduce((sum, value) => sum + value, 0),
      );
      // Long enough for another message of the key to start, if that could happen.
      await new Promise((resolve) => setImmediate(resolve));
      running.set(key, (running.get(key) ?? 1) - 1);
      if (number % 7 === 3 && seen.attempt === 1) throw new Error("once more");
      done.set(key, [...(done.get(key) ?? []), number]);
    },
  });
  const count = context.profile.few;
  await publishNumbered(sender, topic, { count, log, keyOf: (number) => `key-${number % keys}` });
  const finished = (): number => [...done.values()].reduce((sum, numbers) => sum + numbers.length, 0);
  await context.until("every message was handled", () => finished() >= count, {
    detail: () => `${finished()} of ${count} were`,
  });
  await context.quiet(() => receiver.seen.length);
  assert.equal(finished(), count, "a message was handled twice");
  assert.deepEqual(overlaps, [], "two messages of one key ran at the same time");
  for (const [key, numbers] of done)
    assert.deepEqual(
      numbers,
      [...numbers].sort((left, right) => left - right),
      `messages of ${key} were out of order`,
    );
  if (keys > 1) assert.ok(together > 1, "messages of different keys never ran at the same time");
}
