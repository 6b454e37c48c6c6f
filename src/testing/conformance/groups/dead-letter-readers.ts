import assert from "node:assert/strict";
import type { Broker } from "../../../broker.ts";
import type { CheckDefinition } from "../check.ts";
import type { CheckContext } from "../check-context.ts";
import { deadLettersOf } from "../dead-letters-of.ts";
import { deadLetters } from "../needs.ts";

/** E. Retry and dead letters: who reads dead letters, and what that does to them. */
export const deadLetterReaderChecks: readonly CheckDefinition[] = [
  {
    name: "a dead letter waits for its reader, and is gone when the reader acked it",
    promises: ["D5"],
    needs: deadLetters,
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const topic = context.topic();
      await makeDeadLetters(context, one, topic, 3);
      const reader = await context.receive(two, `dlq.${topic}`);
      await context.untilSeen(3, reader);
      await context.until(
        "the dead letters are gone",
        async () => (await one.deadLetters.list(`dlq.${topic}`)).length === 0,
      );
      await context.quiet(() => reader.seen.length);
      assert.deepEqual(reader.texts.sort(), ["0", "1", "2"]);
    },
  },
  {
    name: "readers of a dead-letter topic without a queue share its standing queue",
    promises: ["D5"],
    needs: deadLetters,
    async run(context) {
      const [one, two] = [await context.open(), await context.open()];
      const topic = context.topic();
      const log = context.log();
      const options = { log, concurrency: 1 };
      const readers = [
        await context.receive(one, `dlq.${topic}`, { ...options, as: "one" }),
        await context.receive(two, `dlq.${topic}`, { ...options, as: "two" }),
      ];
      for (let number = 0; number < 10; number += 1) log.sent("p", number);
      await failAll(
        context,
        one,
        topic,
        Array.from({ length: 10 }, (_, number) => `p#${number}`),
      );
      await context.untilComplete(log);
      await context.quiet(() => readers.reduce((sum, reader) => sum + reader.seen.length, 0));
      log.assertExact();
    },
  },
  {
    name: "a named queue and a pattern get copies of dead letters and leave the standing queue untouched",
    promises: ["D5", "D10"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const queue = await context.receive(broker, `dlq.${topic}`, { queue: context.queue() });
      const pattern = await context.receive(broker, `dlq.${topic.replace(/\.[^.]*$/, ".*")}`);
      await failAll(context, broker, topic, ["poison"]);
      await context.untilSeen(1, queue);
      await context.untilSeen(1, pattern);
      await context.quiet(() => queue.seen.length + pattern.seen.length);
      assert.deepEqual([queue.texts, pattern.texts], [["poison"], ["poison"]]);
      await deadLettersOf(context, broker, topic, 1);
    },
  },
  {
    name: "a dead letter whose reader fails stays, and makes no dead letter of its own",
    promises: ["D5"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      await makeDeadLetters(context, broker, topic, 1);
      const failing = await context.receive(broker, `dlq.${topic}`, {
        maxAttempts: 2,
        backoffMs: 10,
        maxBackoffMs: 20,
        handle: () => {
          throw new Error("the reader fails");
        },
      });
      await context.untilSeen(4, failing);
      await failing.unsubscribe();
      await deadLettersOf(context, broker, topic, 1);
      assert.deepEqual(await broker.deadLetters.list(`dlq.dlq.${topic}`), []);
      const rejecting = await context.receive(broker, `dlq.${topic}`, {
        autoAck: false,
        backoffMs: 10,
        handle: (delivery) => delivery.reject("not even here"),
      });
      await context.untilSeen(1, rejecting);
      await rejecting.unsubscribe();
      const [letter] = await deadLettersOf(context, broker, topic, 1);
      assert.equal(letter?.topic, topic, "the dead letter was changed by its reader's failure");
      const reader = await context.receive(broker, `dlq.${topic}`);
      await context.untilSeen(1, reader);
      await context.until(
        "the dead letter is gone",
        async () => (await broker.deadLetters.list(`dlq.${topic}`)).length === 0,
      );
      assert.deepEqual(reader.texts, ["0"]);
    },
  },
];

/** Makes dead letters whose bodies are `"0"`, `"1"`, ... */
async function makeDeadLetters(context: CheckContext, broker: Broker, topic: string, count: number): Promise<void> {
  await failAll(
    context,
    broker,
    topic,
    Array.from({ length: count }, (_, number) => String(number)),
  );
  await deadLettersOf(context, broker, topic, count);
}

/** Publishes messages to a queue whose only member rejects them, and ends that member. */
async function failAll(context: CheckContext, broker: Broker, topic: string, bodies: readonly string[]): Promise<void> {
  const queue = context.queue();
  const failing = await context.receive(broker, topic, {
    queue,
    autoAck: false,
    handle: (delivery) => delivery.reject("made for a check"),
  });
  for (const body of bodies) await broker.publish(topic, { body });
  await context.until("every message was rejected", () => failing.returned === bodies.length);
  await failing.unsubscribe();
  await broker.queues.remove(topic, queue);
}
