import assert from "node:assert/strict";
import type { CheckDefinition } from "../check.ts";
import { deadLettersOf } from "../dead-letters-of.ts";
import { all, brings, deadLetters } from "../needs.ts";

/** C. Payload: messages that cannot be read. */
export const undecodableChecks: readonly CheckDefinition[] = [
  {
    name: "a body that json() refuses becomes a dead letter at once, and holds up nobody",
    promises: ["D6"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const [topic, queue] = [context.topic(), context.queue()];
      const values: unknown[] = [];
      const receiver = await context.receive(broker, topic, {
        queue,
        concurrency: 1,
        handle: (delivery) => values.push(delivery.json()),
      });
      await broker.publishBatch(topic, [{ body: '{"n":1}' }, { body: "{broken" }, { body: '{"n":2}' }]);
      const [letter] = await deadLettersOf(context, broker, topic, 1);
      await context.untilSeen(3, receiver);
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(values, [{ n: 1 }, { n: 2 }]);
      assert.equal(receiver.seen.length, 3, "the broken message was tried again");
      assert.equal(Buffer.from(letter?.body ?? "").toString(), "{broken");
      assert.match(letter?.reason ?? "", /JSON/);
      assert.equal(letter?.attempts, 1);
    },
  },
  {
    name: "a body that text() refuses becomes a dead letter at once, its bytes intact",
    promises: ["D6", "D5"],
    needs: deadLetters,
    async run(context) {
      const broker = await context.open();
      const [topic, queue] = [context.topic(), context.queue()];
      let starts = 0;
      await broker.subscribe(
        topic,
        (delivery) => {
          starts += 1;
          delivery.text();
        },
        { queue },
      );
      const body = Uint8Array.of(0xff, 0xfe, 0x00, 0xc3, 0x28);
      await broker.publish(topic, { body });
      const [letter] = await deadLettersOf(context, broker, topic, 1);
      await context.quiet(() => starts);
      assert.equal(starts, 1);
      assert.ok(Buffer.from(body).equals(letter?.body ?? Buffer.alloc(0)));
      assert.match(letter?.reason ?? "", /UTF-8/);
    },
  },
  {
    name: "a broken native message becomes a dead letter with the reason, and holds up nobody",
    promises: ["D6"],
    needs: all(deadLetters, brings("writeBroken")),
    async run(context) {
      const broker = await context.open();
      const [topic, queue] = [context.topic(), context.queue()];
      const receiver = await context.receive(broker, topic, { queue });
      await broker.publish(topic, { body: "before" });
      await context.harness.writeBroken?.(topic);
      await broker.publish(topic, { body: "after" });
      await context.untilSeen(2, receiver);
      const [letter] = await deadLettersOf(context, broker, topic, 1);
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(receiver.texts.sort(), ["after", "before"]);
      assert.ok(letter?.reason, "the dead letter has no reason");
    },
  },
];
