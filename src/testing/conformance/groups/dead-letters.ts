import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { CheckDefinition } from "../check.ts";
import { deadLettersOf } from "../dead-letters-of.ts";
import { all, atLeastOnce, brings, deadLetters, lacks } from "../needs.ts";
import { rejectsWith } from "../rejects.ts";
import { WEIRD_STRINGS } from "../weird-strings.ts";

const fail = (): never => {
  throw new Error("always fails: ☺");
};

const ADDED = [
  "Tidings-Dead-Topic",
  "Tidings-Dead-Queue",
  "Tidings-Dead-Reason",
  "Tidings-Dead-Attempts",
  "Tidings-Dead-First",
  "Tidings-Dead-Last",
];

/** E. Retry and dead letters: what a dead letter is, and that it is written. */
export const deadLetterChecks: readonly CheckDefinition[] = [
  {
    name: "a dead letter is complete: every header and byte, why, where, when and how often",
    promises: ["D5", "D9"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const [topic, queue] = [context.topic("été"), context.queue("quéue")];
      const header: Record<string, string> = Object.create(null);
      for (const [name, value] of [...Object.entries(WEIRD_STRINGS), ["__proto__", ""]])
        header[name ?? ""] = value ?? "";
      const body = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      await context.receive(broker, topic, { queue, maxAttempts: 2, backoffMs: 10, handle: fail });
      const startedAt = Date.now();
      const { id } = await broker.publish(topic, { header, body });
      const [letter] = await deadLettersOf(context, broker, topic, 1);
      const endedAt = Date.now();
      assert.ok(letter !== undefined);
      assert.deepEqual([letter.id, letter.topic, letter.queue, letter.attempts], [id, topic, queue, 2]);
      assert.match(letter.reason, /always fails: ☺/);
      assert.ok(
        letter.firstAt.getTime() >= startedAt - 1_000 && letter.lastAt.getTime() <= endedAt + 1_000,
        "a time of failure is not when it failed",
      );
      assert.ok(letter.firstAt.getTime() < letter.lastAt.getTime(), "the first failure was not before the last");
      assert.deepEqual({ ...letter.header }, { ...header });
      assert.ok(Buffer.from(body).equals(letter.body));
      const reader = await context.receive(broker, `dlq.${topic}`);
      await context.untilSeen(1, reader);
      const [seen] = reader.seen;
      assert.ok(seen !== undefined);
      assert.equal(seen.topic, `dlq.${topic}`);
      assert.ok(Buffer.from(body).equals(seen.body));
      assert.deepEqual(Object.keys(seen.header).sort(), [...Object.keys(header), ...ADDED].sort());
      for (const name of Object.keys(header)) assert.equal(seen.header[name], header[name]);
      const added = ADDED.map((name) => seen.header[name]);
      assert.deepEqual(added, [
        topic,
        queue,
        letter.reason,
        "2",
        letter.firstAt.toISOString(),
        letter.lastAt.toISOString(),
      ]);
    },
  },
  {
    name: "a dead letter of a broadcast subscription says so",
    promises: ["D5"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      await context.receive(broker, topic, { maxAttempts: 1, handle: fail });
      await broker.publish(topic, { body: "poison" });
      const [letter] = await deadLettersOf(context, broker, topic, 1);
      assert.equal(letter?.queue, undefined);
      assert.equal(letter?.topic, topic);
    },
  },
  {
    name: "a message that failed on a pattern becomes a dead letter of its concrete topic",
    promises: ["D5", "D10"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const [root, queue] = [context.topic(), context.queue()];
      await context.receive(broker, `${root}.>`, { queue, maxAttempts: 1, handle: fail });
      await broker.publish(`${root}.a.b`, { body: "poison" });
      const [letter] = await deadLettersOf(context, broker, `${root}.a.b`, 1);
      assert.deepEqual([letter?.topic, letter?.queue], [`${root}.a.b`, queue]);
    },
  },
  {
    name: "a message of the largest size that fails becomes a dead letter",
    promises: ["D5", "D9"],
    needs: deadLetters,
    async run(context) {
      const limit = Math.min(context.capabilities.maxMessageBytes ?? 1024 * 1024, 1024 * 1024);
      const broker = await context.open({ maxMessageBytes: limit });
      const topic = context.topic();
      const body = Uint8Array.from({ length: limit }, (_, index) => (index * 17) & 255);
      await context.receive(broker, topic, { queue: context.queue(), maxAttempts: 1, handle: fail });
      await broker.publish(topic, { body });
      const [letter] = await deadLettersOf(context, broker, topic, 1);
      assert.ok(Buffer.from(body).equals(letter?.body ?? Buffer.alloc(0)));
    },
  },
  {
    name: "deadLetter names another topic",
    promises: ["D5"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const [topic, parked] = [context.topic(), context.topic("parked")];
      const parking = await context.receive(broker, parked, { queue: context.queue() });
      await context.receive(broker, topic, {
        queue: context.queue(),
        maxAttempts: 1,
        deadLetter: parked,
        handle: fail,
      });
      await broker.publish(topic, { header: { "x-a": "1" }, body: "poison" });
      await context.untilSeen(1, parking);
      await context.quiet(() => parking.seen.length);
      assert.deepEqual(parking.texts, ["poison"]);
      assert.deepEqual([parking.seen[0]?.header["x-a"], parking.seen[0]?.header["Tidings-Dead-Topic"]], ["1", topic]);
      assert.deepEqual(await broker.deadLetters.list(`dlq.${topic}`), []);
    },
  },
  {
    name: "deadLetter false gives a message up with an event",
    promises: ["D5"],
    needs: atLeastOnce,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const given: unknown[] = [];
      const listen = (event: unknown): void => {
        if ((event as { topic?: unknown }).topic === topic) given.push(event);
      };
      subscribe("tidings:give-up", listen);
      context.defer(() => unsubscribe("tidings:give-up", listen));
      const queue = context.queue();
      const receiver = await context.receive(broker, topic, {
        queue,
        maxAttempts: 2,
        backoffMs: 10,
        deadLetter: false,
        handle: fail,
      });
      const { id } = await broker.publish(topic, { body: "poison" });
      await context.until("the message was given up", () => given.length > 0);
      await context.quiet(() => receiver.seen.length + given.length);
      assert.equal(receiver.seen.length, 2);
      assert.equal(given.length, 1);
      const { reason, ...event } = given[0] as Record<string, unknown>;
      assert.deepEqual(event, { broker: broker.name, topic, id, queue });
      assert.match(String(reason), /always fails/);
      if (context.capabilities.deadLetters) assert.deepEqual(await broker.deadLetters.list(`dlq.${topic}`), []);
    },
  },
  {
    name: "two queues that fail one message make two dead letters",
    promises: ["D5"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const queues = [context.queue("one"), context.queue("two")];
      for (const queue of queues) await context.receive(broker, topic, { queue, maxAttempts: 1, handle: fail });
      const { id } = await broker.publish(topic, { body: "poison" });
      const letters = await deadLettersOf(context, broker, topic, 2);
      assert.deepEqual(letters.map((letter) => letter.queue).sort(), queues.sort());
      assert.deepEqual(
        letters.map((letter) => letter.id),
        [id, id],
      );
    },
  },
  {
    name: "a dead letter that cannot be written keeps the message until it can",
    promises: ["D5"],
    needs: all(deadLetters, brings("faults")),
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const { faults } = context.harness;
      faults?.failDeadLetters(topic, 2);
      const receiver = await context.receive(broker, topic, {
        queue: context.queue(),
        maxAttempts: 2,
        backoffMs: 10,
        maxBackoffMs: 20,
        handle: fail,
      });
      await broker.publish(topic, { header: { "x-a": "1" }, body: "poison" });
      await context.until("writing the dead letter failed twice", () => faults?.deadLettersToFail(topic) === 0);
      const [letter] = await deadLettersOf(context, broker, topic, 1);
      await context.quiet(() => receiver.seen.length);
      assert.equal(Buffer.from(letter?.body ?? "").toString(), "poison");
      assert.equal(letter?.header["x-a"], "1");
      assert.ok(
        context.errors.some((error) => error.code === "ERR_DEAD_LETTER" || error.code === "ERR_CONNECTION_LOST"),
        "nobody was told that the dead letter could not be written",
      );
      await deadLettersOf(context, broker, topic, 1);
    },
  },
  {
    name: "dead letters are dropped by their ids, or all of a topic",
    promises: ["D13"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      await context.receive(broker, topic, { queue: context.queue(), maxAttempts: 1, handle: fail });
      const receipts = [];
      for (let number = 0; number < 5; number += 1)
        receipts.push(await broker.publish(topic, { body: String(number) }));
      await deadLettersOf(context, broker, topic, 5);
      const ids = receipts.map(({ id }) => id);
      const [first, second, third, ...others] = ids;
      assert.equal(await broker.deadLetters.drop(`dlq.${topic}`, { id: second ?? "" }), 1);
      assert.equal(await broker.deadLetters.drop(`dlq.${topic}`, { id: [] }), 0);
      assert.equal(await broker.deadLetters.drop(`dlq.${topic}`, { id: [third ?? "", "nobody's", first ?? ""] }), 2);
      const left = await deadLettersOf(context, broker, topic, 2);
      assert.deepEqual(left.map(({ id }) => id).sort(), others.sort());
      assert.equal(await broker.deadLetters.drop(`dlq.${topic}`), 2);
      assert.deepEqual(await broker.deadLetters.list(`dlq.${topic}`), []);
      assert.equal(await broker.deadLetters.drop(`dlq.${topic}`), 0);
    },
  },
  {
    name: "without dead letters listing them is ERR_UNSUPPORTED",
    promises: ["D13"],
    needs: lacks("deadLetters"),
    async run(context) {
      const broker = await context.open();
      await rejectsWith("ERR_UNSUPPORTED", "deadLetters.list", () => broker.deadLetters.list(context.topic()));
    },
  },
];
