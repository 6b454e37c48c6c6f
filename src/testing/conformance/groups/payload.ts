import assert from "node:assert/strict";
import type { Handler } from "../../../delivery.ts";
import { type CheckDefinition, type ConformanceCheck, inGroup } from "../check.ts";
import type { CheckContext } from "../check-context.ts";
import { deadLettersOf } from "../dead-letters-of.ts";
import { deadLetters } from "../needs.ts";
import type { Seen } from "../receiver.ts";
import { rejectsWith } from "../rejects.ts";
import { headerChecks } from "./payload-header.ts";
import { largeBodyChecks } from "./payload-large.ts";
import { topicChecks } from "./payload-topic.ts";
import { undecodableChecks } from "./payload-undecodable.ts";

const MIB = 1024 * 1024;

const checks: readonly CheckDefinition[] = [
  {
    name: "no body, an empty body and an empty string arrive as no bytes",
    promises: ["D9"],
    async run(context) {
      const bodies = [undefined, new Uint8Array(0), ""];
      for (const seen of await roundTrip(context, bodies)) assert.equal(seen.body.byteLength, 0);
    },
  },
  {
    name: "every byte arrives as it was sent",
    promises: ["D9"],
    async run(context) {
      const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      const pairs = Uint8Array.from({ length: 65_536 * 2 }, (_, index) =>
        index % 2 === 0 ? index >> 9 : (index >> 1) & 255,
      );
      const invalid = Uint8Array.of(0xc3, 0x28, 0xff, 0xfe, 0x00, 0xed, 0xa0, 0x80);
      const bodies = [every, every.toReversed(), pairs, invalid, Uint8Array.of(0), Buffer.from("\r\n\r\n")];
      const seen = await roundTrip(context, bodies);
      for (const [index, body] of bodies.entries())
        assert.ok(Buffer.from(body).equals(seen[index]?.body ?? Buffer.alloc(0)), `body ${index} arrived changed`);
    },
  },
  {
    name: "a string body arrives as its UTF-8 bytes",
    promises: ["D9"],
    async run(context) {
      const text = "tidings: été ☺ 𝒳";
      const [seen] = await roundTrip(context, [text]);
      assert.ok(seen !== undefined && Buffer.from(text, "utf8").equals(seen.body));
      assert.equal(seen.delivery.text(), text);
    },
  },
  {
    name: "a handler's body is its own, and so is the publisher's after publish was called",
    promises: ["D9"],
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const spoil = (seen: Seen): void => void seen.delivery.message.body.fill(0);
      const receivers = [
        await context.receive(broker, topic, { handle: (_, seen) => spoil(seen) }),
        await context.receive(broker, topic, { handle: (_, seen) => spoil(seen) }),
      ];
      const body = Buffer.from("mine");
      const publishing = broker.publish(topic, { body });
      body.fill(0);
      await publishing;
      for (const receiver of receivers) await context.untilSeen(1, receiver);
      for (const receiver of receivers) assert.deepEqual(receiver.texts, ["mine"]);
    },
  },
  {
    name: "a large body that handlers change is whole for others, at the next attempt, and as a dead letter",
    promises: ["D9", "D5"],
    needs: deadLetters,
    async run(context) {
      const [sender, receiver] = [await context.open(), await context.open()];
      const topic = context.topic();
      const body = Uint8Array.from({ length: 200_000 }, (_, index) => (index * 31) & 255);
      const arrivedWhole: boolean[] = [];
      const spoil: Handler = ({ message }) => {
        arrivedWhole.push(Buffer.from(body).equals(message.body));
        message.body.fill(0);
        throw new Error("spoiled");
      };
      const options = { maxAttempts: 2, backoffMs: 1 };
      await receiver.subscribe(topic, spoil, { ...options, queue: context.queue() });
      await receiver.subscribe(topic, spoil, { ...options, queue: context.queue(), orderBy: "key" });
      await sender.publish(topic, { body }, { key: "k" });
      const letters = await deadLettersOf(context, receiver, topic, 2);
      assert.deepEqual(arrivedWhole, [true, true, true, true], "a handler got what another had changed");
      for (const letter of letters) assert.ok(Buffer.from(body).equals(letter.body), "a dead letter was changed");
    },
  },
  {
    name: "a body of 1 MiB, or the most the engine carries, arrives",
    promises: ["D9"],
    async run(context) {
      const bytes = Math.min(context.capabilities.maxMessageBytes ?? MIB, MIB);
      const body = Uint8Array.from({ length: bytes }, (_, index) => (index * 31) & 255);
      const [seen] = await roundTrip(context, [body]);
      assert.ok(seen !== undefined && Buffer.from(body).equals(seen.body), "the body arrived changed");
    },
  },
  {
    name: "exactly the limit passes, header included, and one byte more is ERR_MESSAGE_TOO_LARGE",
    promises: ["D9"],
    async run(context) {
      const broker = await context.open({ maxMessageBytes: 1_000 });
      const topic = context.topic();
      const receiver = await context.receive(broker, topic);
      const header = { "x-ü": "é" };
      const headerBytes = Buffer.byteLength("x-üé");
      for (const given of [undefined, header]) {
        const room = 1_000 - (given === undefined ? 0 : headerBytes);
        const message = (bytes: number) => ({
          body: new Uint8Array(bytes),
          ...(given === undefined ? {} : { header: given }),
        });
        await rejectsWith("ERR_MESSAGE_TOO_LARGE", "a message of one byte over the limit", () =>
          broker.publish(topic, message(room + 1)),
        );
        await broker.publish(topic, message(room));
      }
      await context.untilSeen(2, receiver);
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(receiver.seen.map((seen) => seen.body.byteLength).sort(), [1_000, 1_000 - headerBytes].sort());
    },
  },
  {
    name: "a batch with bad messages fails those alone",
    promises: ["D6", "D9"],
    async run(context) {
      const broker = await context.open({ maxMessageBytes: 1_000 });
      const topic = context.topic();
      const receiver = await context.receive(broker, topic);
      const messages = [
        { body: "0" },
        { body: new Uint8Array(1_001) },
        { body: "2" },
        { body: "3", header: { bad: 3 as unknown as string } },
        { body: "4" },
      ];
      const answers = await broker.publishBatch(topic, messages);
      assert.deepEqual(
        answers.map((answer) => ("code" in answer ? answer.code : "ok")),
        ["ok", "ERR_MESSAGE_TOO_LARGE", "ok", "ERR_INVALID_MESSAGE", "ok"],
      );
      await context.untilSeen(3, receiver);
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(receiver.texts.sort(), ["0", "2", "4"]);
    },
  },
  {
    name: "what is no message is ERR_INVALID_MESSAGE",
    promises: ["D9"],
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic);
      const invalid: Record<string, unknown> = {
        "a number as body": { body: 7 },
        "an object as body": { body: {} },
        "a header value that is no string": { header: { "x-a": 7 }, body: "x" },
        "a header that is no object": { header: "x", body: "x" },
        "an empty header name": { header: { "": "x" }, body: "x" },
        "half a surrogate pair as header": { header: { "x-a": "\ud800" }, body: "x" },
      };
      for (const [what, message] of Object.entries(invalid)) {
        await rejectsWith("ERR_INVALID_MESSAGE", what, () => broker.publish(topic, message as { body: string }));
      }
      await broker.publish(topic, { body: "marker" });
      await context.until("the marker arrived", () => receiver.texts.includes("marker"));
      assert.deepEqual(receiver.texts, ["marker"]);
    },
  },
];

/** Sends bodies one after the other and resolves with what arrived for each. */
async function roundTrip(context: CheckContext, bodies: readonly (string | Uint8Array | undefined)[]): Promise<Seen[]> {
  const [sender, receiver] = [await context.open(), await context.open()];
  const topic = context.topic();
  const subscriber = await context.receive(receiver, topic);
  const arrived: Seen[] = [];
  for (const body of bodies) {
    const { id } = await sender.publish(topic, body === undefined ? {} : { body });
    await context.until("the message arrived", () => subscriber.seen.some((seen) => seen.id === id));
    arrived.push(...subscriber.seen.filter((seen) => seen.id === id).slice(0, 1));
  }
  return arrived;
}

/** C. Payload: bodies, headers and names arrive as they were sent, and what cannot be read harms nobody else. */
export const payload: readonly ConformanceCheck[] = inGroup("C", [
  ...checks,
  ...largeBodyChecks,
  ...headerChecks,
  ...topicChecks,
  ...undecodableChecks,
]);
