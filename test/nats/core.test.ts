import { randomBytes } from "node:crypto";
import { subscribe as subscribeToChannel, unsubscribe as unsubscribeFromChannel } from "node:diagnostics_channel";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { BrokerOptions } from "../../src/broker-options.ts";
import { createBroker } from "../../src/create-broker.ts";
import type { Handler } from "../../src/delivery.ts";
import { natsCore } from "../../src/drivers/nats/index.ts";
import { deferred } from "../../src/internal/deferred.ts";
import { silentLogger } from "../../src/logger.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { converse } from "../support/engines/conversation.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { type NatsEngine, startNats } from "../support/engines/nats.ts";
import { type FaultProxy, faultProxy } from "../support/fault-proxy.ts";

describeWithEngine(
  "nats",
  "core NATS",
  () => {
    const cleanups: (() => unknown)[] = [];
    let engine: NatsEngine;
    let proxy: FaultProxy;

    beforeAll(async () => {
      engine = await startNats({ jetstream: false });
    }, 60_000);

    afterAll(() => engine.stop());

    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    });

    const open = async (options: BrokerOptions) => {
      proxy = await faultProxy(engine);
      cleanups.push(() => proxy.close());
      const driver = natsCore({ servers: `127.0.0.1:${proxy.port}` });
      const broker = createBroker(driver, { logger: silentLogger, onError: () => {}, ...options });
      cleanups.push(() => broker.disconnect());
      await broker.connect();
      return broker;
    };
    /** A publish that the server never hears of, and what it was answered, or `"late"` after five seconds. */
    const unheard = async (options: BrokerOptions) => {
      const broker = await open(options);
      proxy.halfOpen();
      const failure = broker.publish("t", { body: "x" }).catch((error: unknown) => error);
      await until(() => proxy.counters.bytesSwallowed > 0, { what: "it is on its way" });
      const answer = () => Promise.race([failure, new Promise((resolve) => setTimeout(resolve, 5_000, "late"))]);
      return { broker, answer };
    };

    test("a message whose native headers no client can read is given up, and harms no other", async () => {
      const errors: string[] = [];
      const warnings: string[] = [];
      const logger = { ...silentLogger, warn: (_fields: object, message: string) => void warnings.push(message) };
      const broker = await open({ logger, onError: ({ code }) => void errors.push(code) });
      const texts: string[] = [];
      await broker.subscribe("t", (delivery) => void texts.push(delivery.text()));
      const block = "NATS/1.0\r\nNo Name: of a header\r\n\r\n";
      await converse(engine.port, AbortSignal.timeout(20_000), async ({ send, expect: heard }) => {
        const message = `HPUB tidings.core.t.t ${block.length} ${block.length + 4}\r\n${block}body\r\n`;
        send(`CONNECT {"verbose":false,"headers":true}\r\n${message}PING\r\n`);
        await heard((received) => (received.includes("PONG") ? true : undefined));
      });
      await broker.publish("t", { body: "whole" });
      await until(() => texts.length > 0, { what: "the next arrived" });
      expect([texts, broker.status, errors]).toEqual([["whole"], "connected", []]);
      expect(warnings.join()).toMatch(/given up: its native headers cannot be read/);
    });

    test("large bodies are their handlers' own: what one does to its bytes is nothing to the others", async () => {
      const broker = await open({});
      const body = randomBytes(20_000);
      // What a handler throws would be its message's end, and not this test's.
      const seen: { whole: boolean; text: string; taken: boolean }[] = [];
      const handler: Handler = (delivery) => {
        const bytes = delivery.message.body;
        const whole = body.equals(bytes);
        bytes.fill("x".charCodeAt(0));
        seen.push({ whole, text: delivery.text(), taken: isTaken(bytes.buffer as ArrayBuffer) });
      };
      for (let subscriber = 0; subscriber < 2; subscriber += 1) await broker.subscribe("t", handler);
      await Promise.all(Array.from({ length: 20 }, () => broker.publish("t", { body })));
      await until(() => seen.length === 40, { what: "all arrived" });
      for (const one of seen) expect(one).toEqual({ whole: true, text: "x".repeat(body.length), taken: false });
    });

    test("a subscription that the server refuses is not one: subscribe rejects", async () => {
      const denied = "tidings.core.t.denied";
      const users = `{ user: u, password: p, permissions: { subscribe: { deny: "${denied}" } } }`;
      const strict = await startNats({ jetstream: false, config: `authorization { users: [ ${users} ] }` });
      cleanups.push(() => strict.stop());
      const driver = natsCore({ servers: `127.0.0.1:${strict.port}`, user: "u", password: "p" });
      const broker = createBroker(driver, { logger: silentLogger, onError: () => {} });
      cleanups.push(() => broker.disconnect());
      await broker.connect();
      await expect(broker.subscribe("denied", () => {})).rejects.toMatchObject({ code: "ERR_AUTHENTICATION" });
      const texts: string[] = [];
      await broker.subscribe("allowed", (delivery) => void texts.push(delivery.text()));
      await broker.publish("allowed", { body: "x" });
      await until(() => texts.length === 1, { what: "what is allowed arrives" });
    });

    test("a publish that the server refuses rejects, and no other with it", async () => {
      const users = `{ user: u, password: p, permissions: { publish: { deny: "tidings.core.t.denied" } } }`;
      const strict = await startNats({ jetstream: false, config: `authorization { users: [ ${users} ] }` });
      cleanups.push(() => strict.stop());
      const driver = natsCore({ servers: `127.0.0.1:${strict.port}`, user: "u", password: "p" });
      const broker = createBroker(driver, { logger: silentLogger, onError: () => {} });
      cleanups.push(() => broker.disconnect());
      await broker.connect();
      const topics = ["denied", "allowed", "denied", "allowed"];
      const answers = await Promise.allSettled(topics.map((topic) => broker.publish(topic, { body: "x" })));
      const said = answers.map((answer) => (answer.status === "fulfilled" ? answer.value.state : answer.reason.code));
      expect(said).toEqual(["ERR_AUTHENTICATION", "sent", "ERR_AUTHENTICATION", "sent"]);
      await expect(broker.publish("denied", {})).rejects.toMatchObject({ code: "ERR_AUTHENTICATION" });
    });

    test("a message under dlq. whose handler fails is given up with an event: nothing comes again", async () => {
      const broker = await open({});
      const givenUp: object[] = [];
      const listener = (event: unknown) => void givenUp.push(event as object);
      subscribeToChannel("tidings:give-up", listener);
      cleanups.push(() => unsubscribeFromChannel("tidings:give-up", listener));
      const fail = () => {
        throw new Error("no");
      };
      await broker.subscribe("dlq.t", fail, { orderBy: "key" });
      await broker.publish("dlq.t", { body: "x" }, { id: "keyless" });
      await broker.publish("dlq.t", { body: "x" }, { id: "keyed", key: "k" });
      await until(() => givenUp.length === 2, { what: "both are given up" });
      const why = { topic: "dlq.t", reason: "no" };
      expect(givenUp).toMatchObject([
        { id: "keyless", ...why },
        { id: "keyed", ...why },
      ]);
    });

    describe("what has arrived when a subscription ends", () => {
      /** The reasons of what is given up from now on. */
      const heardGivenUp = (): string[] => {
        const reasons: string[] = [];
        const listener = (event: unknown) => void reasons.push((event as { reason: string }).reason);
        subscribeToChannel("tidings:give-up", listener);
        cleanups.push(() => unsubscribeFromChannel("tidings:give-up", listener));
        return reasons;
      };
      /** Twenty messages for a member that holds eight of them and has begun with the first, which waits for `go`. */
      const arrived = async (options: BrokerOptions) => {
        const broker = await open(options);
        const [started, go] = [deferred<void>(), deferred<void>()];
        const handled: string[] = [];
        const handler: Handler = async (delivery) => {
          started.resolve();
          await go.promise;
          handled.push(delivery.text());
        };
        const subscriber = await broker.subscribe("t", handler, { queue: "q", concurrency: 1, prefetch: 8 });
        const bodies = Array.from({ length: 20 }, (_, index) => `${index}`);
        await Promise.all(bodies.map((body) => broker.publish("t", { body })));
        await started.promise;
        const givenUp = heardGivenUp();
        return { broker, subscriber, handled, bodies, go, givenUp };
      };

      test.each(["unsubscribe", "disconnect"] as const)(
        "is still handled at %s: the server takes nothing back",
        async (end) => {
          const { broker, subscriber, handled, bodies, go, givenUp } = await arrived({});
          const ended = end === "unsubscribe" ? subscriber.unsubscribe() : broker.disconnect();
          go.resolve();
          await ended;
          expect([handled, givenUp]).toEqual([bodies, []]);
        },
      );

      test("is handled by a handler that is at times done at once, and at times not", async () => {
        const broker = await open({});
        const [started, go] = [deferred<void>(), deferred<void>()];
        const handled: string[] = [];
        const handler: Handler = (delivery) => {
          const text = delivery.text();
          started.resolve();
          if (Number(text) % 2 === 1) return void handled.push(text);
          return go.promise.then(() => new Promise((resolve) => setImmediate(resolve))).then(() => handled.push(text));
        };
        const subscriber = await broker.subscribe("t", handler, { queue: "q", concurrency: 1, prefetch: 8 });
        const bodies = Array.from({ length: 20 }, (_, index) => `${index}`);
        await Promise.all(bodies.map((body) => broker.publish("t", { body })));
        await started.promise;
        const ended = subscriber.unsubscribe();
        go.resolve();
        await ended;
        expect(handled).toEqual(bodies);
      });

      test("is given up at once where an iterator is left: nobody would take it", async () => {
        const broker = await open({});
        const messages = broker.messages("t", { prefetch: 8 });
        await messages.ready();
        const bodies = Array.from({ length: 20 }, (_, index) => `${index}`);
        await Promise.all(bodies.map((body) => broker.publish("t", { body })));
        const givenUp = heardGivenUp();
        const { value } = await messages.next();
        await value?.ack();
        const leaving = Promise.race([
          messages.return().then(() => "left"),
          new Promise((resolve) => setTimeout(resolve, 5_000, "still leaving")),
        ]);
        expect(await leaving).toBe("left");
        expect(givenUp).toEqual(bodies.slice(1).map(() => "its subscription ended"));
      });

      test("is given up at the deadline, each message with an event", async () => {
        const { broker, handled, bodies, go, givenUp } = await arrived({ drainTimeoutMs: 200 });
        await broker.disconnect();
        go.resolve();
        expect(handled).toEqual([]);
        expect(givenUp).toEqual(bodies.map(() => "its subscription ended"));
      });
    });

    test("a publish that is unanswered when the broker is disconnected fails", async () => {
      const { broker, answer } = await unheard({ drainTimeoutMs: 200 });
      await broker.disconnect();
      expect(await answer()).toMatchObject({ code: "ERR_CONNECTION_LOST", retryable: true });
    });

    test("a publish that is unanswered when the connection is given up fails", async () => {
      const { broker, answer } = await unheard({ reconnect: { minDelayMs: 1, maxDelayMs: 5, maxAttempts: 2 } });
      await proxy.refuse();
      proxy.cut();
      await until(() => broker.status === "closed", { what: "the broker is closed" });
      expect(await answer()).toMatchObject({ code: "ERR_CONNECTION_LOST", retryable: true });
    });
  },
  { own: true },
);

/** Gives memory away, as to a worker, and says whether it is gone: what is not to be taken, Node copies or refuses. */
function isTaken(memory: ArrayBuffer): boolean {
  try {
    structuredClone(memory, { transfer: [memory] });
  } catch (error) {
    if ((error as Error).name !== "DataCloneError") throw error;
  }
  return memory.byteLength === 0;
}
