import assert from "node:assert/strict";
import type { CheckDefinition } from "../check.ts";
import { brings } from "../needs.ts";
import { caught } from "../rejects.ts";

/** A. Lifecycle: `AbortSignal` on connect, publish and subscribe. */
export const signalChecks: readonly CheckDefinition[] = [
  {
    name: "connect with an aborted signal rejects with its reason, and works afterwards",
    promises: ["D14"],
    async run(context) {
      const broker = context.unconnected();
      const reason = new Error("changed my mind");
      assert.equal((await caught(() => broker.connect({ signal: AbortSignal.abort(reason) })))?.thrown, reason);
      assert.notEqual(broker.status, "connected");
      await broker.connect();
      assert.equal(broker.status, "connected");
    },
  },
  {
    name: "a signal ends a connect that is trying",
    promises: ["D14"],
    needs: brings("unreachable"),
    async run(context) {
      const broker = context.special("unreachable", { connectTimeoutMs: 600_000 });
      const controller = new AbortController();
      const connecting = caught(() => broker.connect({ signal: controller.signal }));
      await context.until("the broker is connecting", () => broker.status === "connecting");
      const reason = new Error("changed my mind");
      controller.abort(reason);
      assert.equal((await connecting)?.thrown, reason);
    },
  },
  {
    name: "publish with an aborted signal rejects with its reason and sends nothing",
    promises: ["D14"],
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic);
      const reason = new Error("changed my mind");
      const failure = await caught(() =>
        broker.publish(topic, { body: "aborted" }, { signal: AbortSignal.abort(reason) }),
      );
      assert.equal(failure?.thrown, reason);
      await broker.publish(topic, { body: "marker" });
      await context.until("the marker arrived", () => receiver.texts.includes("marker"));
      assert.deepEqual(receiver.texts, ["marker"]);
    },
  },
  {
    name: "a signal ends the wait of a publish for room at a full target",
    promises: ["D14", "D1"],
    async run(context) {
      const broker = await context.open({ acceptTimeoutMs: 600_000 });
      const topic = context.topic();
      const gate = context.gate();
      const receiver = await context.receive(broker, topic, { concurrency: 1, prefetch: 1, handle: () => gate.pass() });
      await broker.publish(topic, { body: "first" });
      await context.untilSeen(1, receiver);
      const controller = new AbortController();
      const reason = new Error("changed my mind");
      const second = caught(() => broker.publish(topic, { body: "second" }, { signal: controller.signal }));
      controller.abort(reason);
      const failure = await second;
      // An engine that stores messages has no full targets: there the publish may be through already.
      assert.ok(failure === undefined || failure.thrown === reason, `publish rejected with ${String(failure?.thrown)}`);
      gate.open();
      await context.until("the first message is done", () => receiver.returned >= 1);
    },
  },
  {
    name: "subscribe with an aborted signal rejects with its reason",
    promises: ["D14"],
    async run(context) {
      const broker = await context.open();
      const reason = new Error("changed my mind");
      const failure = await caught(() =>
        broker.subscribe(context.topic(), () => {}, { signal: AbortSignal.abort(reason) }),
      );
      assert.equal(failure?.thrown, reason);
    },
  },
  {
    name: "a subscription ends with its signal, after the running handler",
    promises: ["D14", "D11"],
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const gate = context.gate();
      const controller = new AbortController();
      const receiver = await context.receive(broker, topic, { signal: controller.signal, handle: () => gate.pass() });
      const staying = await context.receive(broker, topic);
      await broker.publish(topic, { body: "before" });
      await context.untilSeen(1, receiver);
      controller.abort();
      gate.open();
      await receiver.unsubscribe();
      assert.equal(receiver.returned, 1);
      await broker.publish(topic, { body: "after" });
      await context.untilSeen(2, staying);
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(receiver.texts, ["before"]);
    },
  },
];
