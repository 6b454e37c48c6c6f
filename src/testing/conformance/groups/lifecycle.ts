import assert from "node:assert/strict";
import { type CheckDefinition, type ConformanceCheck, inGroup } from "../check.ts";
import { brings } from "../needs.ts";
import { publishNumbered } from "../publish-numbered.ts";
import { caught, rejectsWith } from "../rejects.ts";
import { exitChecks } from "./lifecycle-exit.ts";
import { signalChecks } from "./lifecycle-signals.ts";

const checks: readonly CheckDefinition[] = [
  {
    name: "connects, says what it is, and closes",
    promises: ["D11"],
    async run(context) {
      const broker = context.unconnected();
      const { name } = broker;
      assert.ok(name.length > 0, "a broker has its name before it connects");
      assert.equal(broker.status, "idle");
      await broker.connect();
      assert.equal(broker.status, "connected");
      assert.equal(broker.name, name);
      assert.equal(typeof broker.address, "string");
      const { maxMessageBytes: _ours, ...declared } = context.capabilities;
      const { maxMessageBytes: _theirs, ...connected } = broker.capabilities;
      assert.deepEqual(
        { ...connected },
        { ...declared },
        "the harness and the connected broker declare different capabilities",
      );
      await broker.disconnect();
      assert.equal(broker.status, "closed");
    },
  },
  {
    name: "publish and subscribe before connect are ERR_NOT_CONNECTED",
    promises: ["D11"],
    async run(context) {
      const broker = context.unconnected();
      const topic = context.topic();
      await rejectsWith("ERR_NOT_CONNECTED", "publish before connect", () => broker.publish(topic, { body: "x" }));
      await rejectsWith("ERR_NOT_CONNECTED", "subscribe before connect", () => broker.subscribe(topic, () => {}));
    },
  },
  {
    name: "publish and subscribe after disconnect are ERR_NOT_CONNECTED",
    promises: ["D11"],
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic);
      await broker.disconnect();
      await rejectsWith("ERR_NOT_CONNECTED", "publish after disconnect", () => broker.publish(topic, { body: "x" }));
      await rejectsWith("ERR_NOT_CONNECTED", "subscribe after disconnect", () => broker.subscribe(topic, () => {}));
      await receiver.unsubscribe();
      assert.equal(receiver.seen.length, 0);
    },
  },
  {
    name: "init while connected is ERR_CONNECTED",
    promises: ["D11"],
    async run(context) {
      const broker = await context.open();
      await rejectsWith("ERR_CONNECTED", "init while connected", () => broker.init({ drainTimeoutMs: 1_000 }));
    },
  },
  {
    name: "disconnect before connect is harmless",
    promises: ["D11"],
    async run(context) {
      const broker = context.unconnected();
      await broker.disconnect();
      await broker.disconnect();
    },
  },
  {
    name: "disconnect and unsubscribe can be called twice, also at once",
    promises: ["D11"],
    async run(context) {
      const broker = await context.open();
      const receiver = await context.receive(broker, context.topic());
      await Promise.all([receiver.unsubscribe(), receiver.unsubscribe()]);
      await receiver.unsubscribe();
      await Promise.all([broker.disconnect(), broker.disconnect()]);
      await broker.disconnect();
      await receiver.unsubscribe();
    },
  },
  {
    name: "brokers and subscribers end with their asyncDispose",
    promises: ["D11"],
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const ended = await context.receive(broker, topic);
      const staying = await context.receive(broker, topic);
      await ended.subscriber[Symbol.asyncDispose]();
      await broker.publish(topic, { body: "one" });
      await context.untilSeen(1, staying);
      assert.equal(ended.seen.length, 0);
      await broker[Symbol.asyncDispose]();
      assert.equal(broker.status, "closed");
    },
  },
  {
    name: "disconnect waits for a running handler and its ack",
    promises: ["D11", "D3"],
    async run(context) {
      const [worker, other] = [await context.open(), await context.open()];
      const [topic, queue] = [context.topic(), context.queue()];
      const gate = context.gate();
      const receiver = await context.receive(worker, topic, { queue, handle: () => gate.pass() });
      await other.publish(topic, { body: "running" });
      await context.untilSeen(1, receiver);
      let closed = false;
      const closing = worker.disconnect().then(() => {
        closed = true;
      });
      await context.quiet(() => receiver.returned);
      assert.ok(!closed, "disconnect resolved while a handler was running");
      gate.open();
      await closing;
      assert.equal(receiver.returned, 1, "disconnect resolved before the handler returned");
      const next = await context.receive(other, topic, { queue });
      await other.publish(topic, { body: "marker" });
      await context.until("the marker arrived", () => next.texts.includes("marker"));
      await context.quiet(() => next.seen.length);
      assert.deepEqual(next.texts, ["marker"], "the message whose handler returned during the drain came again");
    },
  },
  {
    name: "ten subscribes and unsubscribes at once leave everything whole",
    promises: ["D11", "D2"],
    async run(context) {
      const [broker, other] = [await context.open(), await context.open()];
      const [topic, queue] = [context.topic(), context.queue()];
      const staying = await context.receive(broker, topic);
      const member = await context.receive(other, topic, { queue });
      const crowd = await Promise.all(
        Array.from({ length: 10 }, (_, index) => context.receive(broker, topic, index % 2 === 0 ? {} : { queue })),
      );
      await Promise.all(crowd.map((receiver) => receiver.unsubscribe()));
      await Promise.all(Array.from({ length: 10 }, async () => (await context.receive(broker, topic)).unsubscribe()));
      const log = context.log();
      const late = await context.receive(broker, topic);
      await publishNumbered(other, topic, { count: 10, log });
      await context.untilSeen(10, staying);
      await context.untilSeen(10, member);
      await context.untilSeen(10, late);
      await context.quiet(() => staying.seen.length + member.seen.length + late.seen.length);
      for (const receiver of [staying, member, late])
        assert.equal(new Set(receiver.texts).size, receiver.seen.length, "a message came twice");
      assert.deepEqual(
        [staying, member, late].map((receiver) => receiver.seen.length),
        [10, 10, 10],
      );
      assert.equal(
        crowd.reduce((sum, receiver) => sum + receiver.seen.length, 0),
        0,
        "an ended subscription got messages",
      );
    },
  },
  {
    name: "no handler starts after unsubscribe resolved",
    promises: ["D11"],
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const staying = await context.receive(broker, topic);
      const leaving = await context.receive(broker, topic);
      const log = context.log();
      const load = publishNumbered(broker, topic, { count: context.profile.few, log, window: 4 });
      await context.untilSeen(1, leaving);
      await leaving.unsubscribe();
      const before = leaving.seen.length;
      await load;
      await publishNumbered(broker, topic, { count: 10, from: context.profile.few, log });
      await context.until(
        "the other subscriber has everything",
        () => new Set(staying.texts).size === context.profile.few + 10,
      );
      await context.quiet(() => staying.seen.length);
      assert.equal(leaving.seen.length, before, "a handler started after unsubscribe resolved");
    },
  },
  {
    name: "bad credentials fail at once",
    promises: ["D14"],
    needs: brings("refused"),
    async run(context) {
      const broker = context.special("refused", { connectTimeoutMs: 60_000 });
      const started = performance.now();
      await rejectsWith("ERR_AUTHENTICATION", "connecting with bad credentials", () => broker.connect());
      assert.ok(performance.now() - started < 15_000, "bad credentials were tried again instead of failing at once");
    },
  },
  {
    name: "an unreachable server is tried until connectTimeoutMs",
    promises: ["D14"],
    needs: brings("unreachable"),
    measures: true,
    async run(context) {
      const broker = context.special("unreachable", { connectTimeoutMs: 1_000 });
      const started = performance.now();
      const failure = await caught(() => broker.connect());
      const tookMs = performance.now() - started;
      assert.ok(failure !== undefined, "connecting to an address where nobody answers succeeded");
      assert.ok(tookMs >= 900, `it was given up after ${Math.round(tookMs)} ms of 1,000`);
      assert.ok(tookMs <= 10_000, `it took ${Math.round(tookMs)} ms instead of 1,000`);
      assert.notEqual(broker.status, "connected");
    },
  },
];

/** A. Lifecycle: connecting, ending, signals, and that nothing is left behind. */
export const lifecycle: readonly ConformanceCheck[] = inGroup("A", [...checks, ...signalChecks, ...exitChecks]);
