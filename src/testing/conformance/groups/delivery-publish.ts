import assert from "node:assert/strict";
import type { CheckDefinition, Need } from "../check.ts";
import { all, atLeastOnce, brings, has, lacks, standingQueues } from "../needs.ts";
import { publishNumbered } from "../publish-numbered.ts";
import { rejectsWith } from "../rejects.ts";

/** Where an engine keeps or sends the messages, `flush` ends when it has them: only they that are kept here are waited for. */
const keptHere: Need = ({ capabilities }) =>
  capabilities.durable || capabilities.guarantee === "at-most-once"
    ? "the engine has the messages, and flush ends when it does"
    : undefined;

const STATES = ["stored", "accepted", "sent", "waiting", "unrouted"];

/** B. Delivery: what a publisher is told, and iterators. */
export const publishChecks: readonly CheckDefinition[] = [
  {
    name: "receipts say truly who has the message",
    promises: ["D1"],
    async run(context) {
      const [sender, receiver] = [await context.open(), await context.open()];
      const topic = context.topic();
      const unwanted = await sender.publish(topic, { body: "unwanted" });
      const first = await context.receive(receiver, topic);
      const wanted = await sender.publish(topic, { body: "wanted" });
      await context.until("the wanted message arrived", () => first.texts.includes("wanted"));
      if (unwanted.state === "waiting")
        await context.until("the waiting message arrived at the first subscriber", () =>
          first.texts.includes("unwanted"),
        );
      await context.quiet(() => first.seen.length);
      for (const { state } of [unwanted, wanted]) assert.ok(STATES.includes(state), `there is no state ${state}`);
      assert.notEqual(unwanted.state, "accepted", "nobody was there to accept the message");
      assert.ok(!["unrouted", "waiting"].includes(wanted.state), `a message that arrived was ${wanted.state}`);
      if (unwanted.state === "unrouted")
        assert.deepEqual(first.texts, ["wanted"], "an unrouted message was delivered later");
      if (context.capabilities.guarantee === "at-most-once") assert.equal(wanted.state, "sent");
      else assert.notEqual(wanted.state, "sent");
      const { receipts } = context.harness;
      if (receipts !== undefined) assert.deepEqual({ wanted: wanted.state, unwanted: unwanted.state }, receipts);
    },
  },
  {
    name: "a message for a full target stays, as waiting or stored, and is delivered later",
    promises: ["D1", "D7"],
    needs: atLeastOnce,
    async run(context) {
      const broker = await context.open({ acceptTimeoutMs: 100 });
      const topic = context.topic();
      const gate = context.gate();
      const receiver = await context.receive(broker, topic, { concurrency: 1, prefetch: 1, handle: () => gate.pass() });
      await broker.publish(topic, { body: "first" });
      await context.untilSeen(1, receiver);
      const { state } = await broker.publish(topic, { body: "second" });
      assert.ok(state === "waiting" || state === "stored", `a message that no target had room for was ${state}`);
      gate.open();
      await context.untilSeen(2, receiver);
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(receiver.texts, ["first", "second"]);
    },
  },
  {
    name: "publish waits for room at full targets at most acceptTimeoutMs, whatever others wait",
    promises: ["D1"],
    needs: atLeastOnce,
    measures: true,
    async run(context) {
      const [patient, hasty] = [
        await context.open({ acceptTimeoutMs: 60_000 }),
        await context.open({ acceptTimeoutMs: 200 }),
      ];
      const topic = context.topic();
      const gates = [context.gate(), context.gate()];
      const receiver = await context.receive(hasty, topic, {
        concurrency: 1,
        prefetch: 1,
        handle: (_delivery, seen) => gates[seen.text === "first" ? 0 : 1]?.pass(),
      });
      await patient.publish(topic, { body: "first" });
      await context.untilSeen(1, receiver);
      const waiting = patient.publish(topic, { body: "second" });
      gates[0]?.open();
      await waiting;
      await context.untilSeen(2, receiver);
      const startedAt = performance.now();
      await hasty.publish(topic, { body: "third" });
      const tookMs = performance.now() - startedAt;
      assert.ok(tookMs < 3_000, `publish took ${Math.round(tookMs)} ms with an acceptTimeoutMs of 200`);
      gates[1]?.open();
      await context.untilSeen(3, receiver);
      assert.deepEqual(receiver.texts, ["first", "second", "third"]);
    },
  },
  {
    name: "mandatory is ERR_NO_SUBSCRIBERS when nobody wants the message",
    promises: ["D1"],
    needs: has("mandatory"),
    async run(context) {
      const [sender, receiver] = [await context.open(), await context.open()];
      const topic = context.topic();
      await rejectsWith("ERR_NO_SUBSCRIBERS", "a mandatory publish that nobody wants", () =>
        sender.publish(topic, { body: "nobody" }, { mandatory: true }),
      );
      const subscriber = await context.receive(receiver, topic);
      await sender.publish(topic, { body: "somebody" }, { mandatory: true });
      await context.until("the mandatory message arrived", () => subscriber.texts.includes("somebody"));
      await context.quiet(() => subscriber.seen.length);
      assert.deepEqual(subscriber.texts, ["somebody"], "a message that was refused was kept");
      await subscriber.unsubscribe();
      await rejectsWith("ERR_NO_SUBSCRIBERS", "a mandatory publish after the subscriber left", () =>
        sender.publish(topic, { body: "gone" }, { mandatory: true }),
      );
    },
  },
  {
    name: "where the engine cannot tell, mandatory is ERR_UNSUPPORTED",
    promises: ["D1"],
    needs: lacks("mandatory"),
    async run(context) {
      const broker = await context.open();
      await rejectsWith("ERR_UNSUPPORTED", "a mandatory publish", () =>
        broker.publish(context.topic(), { body: "x" }, { mandatory: true }),
      );
    },
  },
  {
    name: "a handler that publishes to its own topic with concurrency 1 does not deadlock",
    promises: ["D1", "D7"],
    async run(context) {
      const broker = await context.open({ acceptTimeoutMs: 100 });
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, {
        concurrency: 1,
        queue: context.queue(),
        handle: async (delivery) => {
          const number = Number(Buffer.from(delivery.message.body).toString());
          if (number < 5) await broker.publish(topic, { body: String(number + 1) });
        },
      });
      await broker.publish(topic, { body: "0" });
      await context.untilSeen(6, receiver);
      await context.until("the last handler returned", () => receiver.returned >= 6);
      assert.deepEqual(receiver.texts, ["0", "1", "2", "3", "4", "5"]);
    },
  },
  {
    name: "an iterator delivers, acks by hand, and gives back what was not taken",
    promises: ["D2", "D3", "D11"],
    needs: standingQueues,
    async run(context) {
      const [reader, other] = [await context.open(), await context.open()];
      const [topic, queue] = [context.topic(), context.queue()];
      const log = context.log();
      await other.createQueue(topic, queue);
      await publishNumbered(other, topic, { count: 10, log });
      for await (const delivery of reader.messages(topic, { queue })) {
        log.received("iterator", delivery.text());
        await delivery.ack();
        if (log.count("iterator") === 4) break;
      }
      const member = await context.receive(other, topic, { log, as: "member", queue });
      await context.untilComplete(log);
      await context.quiet(() => log.count("iterator") + log.count("member"));
      log.assertExact();
      assert.equal(log.count("member"), 6);
      assert.deepEqual(new Set(member.seen.map((seen) => seen.attempt)), new Set([1]), "giving back cost an attempt");
    },
  },
  {
    name: "an iterator's return ends it",
    promises: ["D11"],
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const iterator = broker.messages(topic)[Symbol.asyncIterator]();
      const pending = iterator.next();
      assert.equal((await iterator.return?.())?.done, true);
      assert.equal((await pending).done, true);
      assert.equal((await iterator.next()).done, true);
    },
  },
  {
    name: "handlers that throw synchronously and asynchronously behave alike",
    promises: ["D3"],
    needs: atLeastOnce,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const attempts: Record<"sync" | "async" | "thenable", number[]> = { sync: [], async: [], thenable: [] };
      const options = { backoffMs: 10, maxAttempts: 2 };
      await broker.subscribe(
        topic,
        (delivery) => {
          attempts.sync.push(delivery.attempt);
          if (delivery.attempt === 1) throw new Error("sync");
        },
        options,
      );
      await broker.subscribe(
        topic,
        async (delivery) => {
          attempts.async.push(delivery.attempt);
          await Promise.resolve();
          if (delivery.attempt === 1) throw new Error("async");
        },
        options,
      );
      await broker.subscribe(
        topic,
        (delivery) => {
          attempts.thenable.push(delivery.attempt);
          return delivery.attempt === 1 ? Promise.reject(undefined) : Promise.resolve();
        },
        options,
      );
      await broker.publish(topic, { body: "x" });
      const count = (): number => attempts.sync.length + attempts.async.length + attempts.thenable.length;
      await context.until("all three were tried twice", () => count() >= 6, { detail: () => JSON.stringify(attempts) });
      await context.quiet(count);
      assert.deepEqual(attempts, { sync: [1, 2], async: [1, 2], thenable: [1, 2] });
    },
  },
  {
    name: "flush resolves when everything published is delivered and settled",
    promises: ["D1"],
    needs: all(brings("isolated"), keptHere),
    async run(context) {
      const broker = context.special("isolated");
      await broker.connect();
      const topic = context.topic();
      const gate = context.gate();
      const receiver = await context.receive(broker, topic, { concurrency: 4, handle: () => gate.pass() });
      const publishing = publishNumbered(broker, topic, { count: 10 });
      await context.untilSeen(4, receiver);
      gate.open();
      await publishing;
      await broker.flush();
      assert.equal(receiver.returned, 10, "flush resolved before every handler had returned");
    },
  },
];
