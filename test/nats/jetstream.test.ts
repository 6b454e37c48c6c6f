import { connect, createInbox, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import type { Broker } from "../../src/broker.ts";
import type { BrokerOptions } from "../../src/broker-options.ts";
import { createBroker } from "../../src/create-broker.ts";
import type { Delivery } from "../../src/delivery.ts";
import { nats } from "../../src/drivers/nats/index.ts";
import type { NatsOptions } from "../../src/drivers/nats/options.ts";
import { broadcastName, queueName } from "../../src/drivers/nats/subjects.ts";
import type { BrokerError } from "../../src/errors.ts";
import { silentLogger } from "../../src/logger.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { converse } from "../support/engines/conversation.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { type NatsEngine, startNats } from "../support/engines/nats.ts";
import { faultProxy } from "../support/fault-proxy.ts";

const TIMEOUT = { timeout: 60_000 };

describeWithEngine(
  "nats",
  "JetStream",
  () => {
    const cleanups: (() => unknown)[] = [];
    const errors: BrokerError[] = [];
    let engine: NatsEngine;
    let admin: NatsConnection;
    let prefixes = 0;

    beforeAll(async () => {
      engine = await startNats();
      admin = await connect({ servers: `${engine.host}:${engine.port}` });
    }, 60_000);

    afterAll(async () => {
      await admin.close();
      await engine.stop();
    });

    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
      errors.length = 0;
    });

    const fresh = (): string => `test-${process.pid}-${prefixes++}`;
    const open = async (own: NatsOptions = {}, options: BrokerOptions = {}): Promise<Broker<NatsConnection>> => {
      const driver = nats({ servers: `${engine.host}:${engine.port}`, redeliverAfterMs: 1_000, ...own });
      const broker = createBroker(driver, { logger: silentLogger, onError: (error) => errors.push(error), ...options });
      cleanups.push(() => broker.disconnect());
      await broker.connect();
      return broker;
    };
    const api = async <T = Record<string, unknown>>(call: string, body: object = {}): Promise<T> =>
      (await admin.request(`$JS.API.${call}`, JSON.stringify(body))).json<T>();
    const wait = (what: string, condition: () => unknown): Promise<unknown> =>
      until(condition, { what, deadlineMs: 20_000 });
    const caught = (promise: Promise<unknown>): Promise<BrokerError> =>
      promise.then(
        () => {
          throw new Error("it did not fail");
        },
        (error: BrokerError) => error,
      );

    test("names its streams and consumers as documented", TIMEOUT, async () => {
      const prefix = fresh();
      const broker = await open({ prefix });
      await broker.createQueue("orders.*", "bill ing");
      await broker.subscribe("orders.created", () => {});
      const { streams } = await api<{ streams: string[] }>("STREAM.NAMES");
      expect(streams.filter((name) => name.startsWith(prefix)).sort()).toEqual(
        ["attempts", "copies", "dead", "messages"].map((name) => `${prefix}-${name}`),
      );
      const { consumers } = await api<{ consumers: { name: string; config: Record<string, unknown> }[] }>(
        `CONSUMER.LIST.${prefix}-messages`,
      );
      const [broadcast, queue] = consumers.sort((a, b) => (a.name < b.name ? -1 : 1));
      expect(queue?.name).toBe(queueName("orders.*", "bill ing"));
      expect(queue?.config).toMatchObject({ filter_subject: `${prefix}.t.*.orders.*`, max_deliver: -1 });
      expect(queue?.config["inactive_threshold"]).toBeUndefined();
      expect(broadcast?.name).toBe(broadcastName(broadcast?.name.slice("broadcast-".length) ?? ""));
      expect(broadcast?.config["inactive_threshold"]).toBe((60_000 + 2 * 30_000) * 1_000_000);
    });

    test("a stream that is full refuses a publish, and takes it once there is room", TIMEOUT, async () => {
      const own = { prefix: fresh(), maxMessages: 3 };
      const broker = await open(own);
      await broker.createQueue("t", "q");
      for (let number = 0; number < 3; number += 1) await broker.publish("t", { body: "x" });
      expect(await caught(broker.publish("t", { body: "x" }))).toMatchObject({
        code: "ERR_BACKLOG_FULL",
        retryable: true,
      });
      const patient = await open(own, { whenFull: "wait" });
      let stored = false;
      const waiting = patient.publish("t", { body: "patient" }).then(() => {
        stored = true;
      });
      const texts: string[] = [];
      expect(stored).toBe(false);
      await broker.subscribe("t", (delivery) => void texts.push(delivery.text()), { queue: "q" });
      await waiting;
      await wait("everything arrived", () => texts.length === 4);
      expect(texts).toEqual(["x", "x", "x", "patient"]);
    });

    test("a dead letter whose copy waits for room is kept once", TIMEOUT, async () => {
      const broker = await open({ prefix: fresh(), maxDeadLetters: 2 }, { whenFull: "wait" });
      await broker.createQueue("dlq.t", "watch");
      for (const body of ["1", "2"]) await broker.publish("dlq.t", { body });
      expect(await broker.deadLetters.drop("dlq.t")).toBe(2);
      const since = Date.now();
      const published = broker.publish("dlq.t", { body: "3" });
      await wait("it was refused more than once", () => Date.now() - since > 1_000);
      const copies: string[] = [];
      await broker.subscribe("dlq.t", (delivery) => void copies.push(delivery.text()), { queue: "watch" });
      await published;
      await wait("the copy arrived", () => copies.length === 3);
      expect(await broker.deadLetters.list("dlq.t")).toHaveLength(1);
    });

    test("a dead letter for whose copy there is no room is not kept before there is", TIMEOUT, async () => {
      const broker = await open({ prefix: fresh(), maxDeadLetters: 2 });
      await broker.createQueue("dlq.t", "watch");
      const options = { queue: "q", maxAttempts: 1, maxBackoffMs: 50 };
      await broker.subscribe("t", () => Promise.reject(new Error("no")), options);
      for (const body of ["1", "2", "3"]) await broker.publish("t", { body });
      await wait("two are dead", async () => (await broker.deadLetters.list("dlq.t")).length === 2);
      await broker.deadLetters.drop("dlq.t");
      const refused = (): number => errors.filter(({ code }) => code === "ERR_DEAD_LETTER").length;
      const since = refused();
      await wait("the third is refused again and again", () => refused() >= since + 5);
      expect(await broker.deadLetters.list("dlq.t")).toEqual([]);
      await broker.queues.remove("dlq.t", "watch");
      await wait("the third is dead", async () => (await broker.deadLetters.list("dlq.t")).length === 1);
    });

    test("a message that failed leaves a full stream also where a queue collects dead letters", TIMEOUT, async () => {
      const broker = await open({ prefix: fresh(), maxMessages: 2 });
      await broker.createQueue("dlq.>", "watch");
      await broker.createQueue("t", "q");
      for (const body of ["1", "2"]) await broker.publish("t", { body });
      expect((await caught(broker.publish("t", { body: "3" }))).code).toBe("ERR_BACKLOG_FULL");
      const options = { queue: "q", maxAttempts: 2, maxBackoffMs: 50 };
      await broker.subscribe("t", () => Promise.reject(new Error("no")), options);
      await wait("both are dead", async () => (await broker.deadLetters.list("dlq.t")).length === 2);
      await broker.publish("t", { body: "3" });
      await wait("the third is dead", async () => (await broker.deadLetters.list("dlq.t")).length === 3);
      expect(await broker.queues.list()).toContainEqual({ topic: "dlq.>", queue: "watch", members: 0, messages: 3 });
    });

    test("a full stream of dead letters keeps the message that failed", TIMEOUT, async () => {
      const broker = await open({ prefix: fresh(), maxDeadLetters: 1 });
      const options = { queue: "q", maxAttempts: 1, maxBackoffMs: 50 };
      await broker.subscribe("t", () => Promise.reject(new Error("no")), options);
      await broker.publish("t", { body: "1" });
      await wait("the first is dead", async () => (await broker.deadLetters.list("dlq.t")).length === 1);
      await broker.publish("t", { body: "2" });
      await wait("the second has no room", () => errors.some(({ code }) => code === "ERR_DEAD_LETTER"));
      expect(await broker.deadLetters.drop("dlq.t")).toBe(1);
      await wait("the second is dead", async () => (await broker.deadLetters.list("dlq.t")).length === 1);
    });

    test("what exists with another limit, subject or time is an error that names the difference", TIMEOUT, async () => {
      const prefix = fresh();
      await open({ prefix, maxMessages: 10 });
      const other = await caught(open({ prefix, maxMessages: 11 }));
      expect(other).toMatchObject({ code: "ERR_INVALID_OPTION" });
      expect(other.message).toMatch(/-messages exists with another max_msgs: 10 instead of 11/);
      const broker = await open({ prefix });
      await broker.createQueue("t", "q");
      const slower = await open({ prefix, redeliverAfterMs: 5_000 });
      const time = await caught(slower.subscribe("t", () => {}, { queue: "q" }));
      expect(time.code).toBe("ERR_INVALID_OPTION");
      expect(time.message).toMatch(/redeliverAfterMs 1000 instead of 5000/);
    });

    test("one id for two messages on purpose loses neither", TIMEOUT, async () => {
      const broker = await open({ prefix: fresh() });
      const texts: string[] = [];
      await broker.subscribe("t", (delivery) => void texts.push(`${delivery.id} ${delivery.text()}`));
      for (const body of ["1", "2"]) await broker.publish("t", { body }, { id: "same" });
      await wait("both arrived", () => texts.length === 2);
      expect(texts).toEqual(["same 1", "same 2"]);
    });

    test("two who redrive one dead letter at once send it once", TIMEOUT, async () => {
      const prefix = fresh();
      const brokers = [await open({ prefix }), await open({ prefix })] as const;
      let starts = 0;
      const handle = (delivery: Delivery): unknown => {
        starts += 1;
        return starts === 1 ? delivery.reject("first") : delivery.ack();
      };
      await brokers[0].subscribe("t", handle, { queue: "q", autoAck: false });
      await brokers[0].publish("t", { body: "x" });
      await wait("it is dead", async () => (await brokers[1].deadLetters.list("dlq.t")).length === 1);
      const counts = await Promise.all(brokers.map((broker) => broker.deadLetters.redrive("dlq.t")));
      expect(counts.reduce((sum, count) => sum + count)).toBe(1);
      await wait("it came again", () => starts === 2);
      const marker = await brokers[0].publish("t", { body: "marker" });
      await wait("the marker came", () => starts === 3);
      expect([marker.state, starts]).toEqual(["stored", 3]);
    });

    test("ten rolling restarts of the members cost no attempts", TIMEOUT, async () => {
      const prefix = fresh();
      const publisher = await open({ prefix });
      await publisher.createQueue("t", "q");
      const count = 200;
      for (let number = 0; number < count; number += 1) await publisher.publish("t", { body: String(number) });
      const seen = new Map<string, number[]>();
      const handle = async (delivery: Delivery): Promise<void> => {
        const attempts = seen.get(delivery.text()) ?? [];
        seen.set(delivery.text(), [...attempts, delivery.attempt]);
        await new Promise((resolve) => setImmediate(resolve));
      };
      const options = { queue: "q", concurrency: 1, prefetch: 20, maxAttempts: 1 };
      for (let round = 0; round < 10; round += 1) {
        const member = await open({ prefix });
        const before = seen.size;
        await member.subscribe("t", handle, options);
        await wait("the member works", () => seen.size > before || seen.size === count);
        await member.disconnect();
      }
      await (await open({ prefix })).subscribe("t", handle, options);
      await wait("everything was handled", () => seen.size === count);
      expect([...seen.values()].every((attempts) => attempts.length === 1 && attempts[0] === 1)).toBe(true);
      expect(await publisher.deadLetters.list("dlq.t")).toEqual([]);
    });

    test("a retry's attempts and its first failure survive the member that failed", TIMEOUT, async () => {
      const prefix = fresh();
      const [first, second] = [await open({ prefix }), await open({ prefix })];
      const options = { queue: "q", backoffMs: 300, maxAttempts: 5 };
      await first.subscribe("t", () => Promise.reject(new Error("no")), options);
      await first.publish("t", { body: "x" });
      await wait("it failed", () => errors.length > 0);
      await first.disconnect();
      const attempts: number[] = [];
      await second.subscribe("t", (delivery) => void attempts.push(delivery.attempt), options);
      await wait("it came again", () => attempts.length === 1);
      expect(attempts).toEqual([2]);
      const remembered = async (): Promise<number> =>
        (await api<{ state: { messages: number } }>(`STREAM.INFO.${prefix}-attempts`)).state.messages;
      // Only that the first member's pulls ended is still remembered of the queue.
      await wait("nothing is remembered of the message", async () => (await remembered()) <= 1);
    });

    test(
      "a member that is gone has used an attempt, also when nobody was there to take over at once",
      TIMEOUT,
      async () => {
        const prefix = fresh();
        const proxy = await faultProxy(engine);
        cleanups.push(() => proxy.close());
        const gone = await open({ prefix, servers: `127.0.0.1:${proxy.port}` });
        let starts = 0;
        const never = (): Promise<void> => {
          starts += 1;
          return new Promise(() => {});
        };
        await gone.subscribe("t", never, { queue: "q", drainTimeoutMs: 1 });
        const publisher = await open({ prefix });
        await publisher.publish("t", { body: "x" });
        await wait("it is held", () => starts === 1);
        await proxy.refuse();
        proxy.cut();
        const since = Date.now();
        // The server has looked for somebody to redeliver it to, once: what it does with the pulls of the dead shows then.
        await wait("the redelivery time is over", () => Date.now() - since > 1_400);
        const attempts: number[] = [];
        await publisher.subscribe("t", (delivery) => void attempts.push(delivery.attempt), { queue: "q" });
        await wait("it came again", () => attempts.length > 0);
        expect(attempts).toEqual([2]);
      },
    );

    test("a removed queue leaves nothing behind, not even what was remembered", TIMEOUT, async () => {
      const prefix = fresh();
      const broker = await open({ prefix });
      const subscriber = await broker.subscribe("t", () => Promise.reject(new Error("no")), {
        queue: "q",
        backoffMs: 60_000,
        maxBackoffMs: 60_000,
      });
      await broker.publish("t", { body: "x" });
      await wait("it failed", () => errors.length > 0);
      await subscriber.unsubscribe();
      expect(await broker.queues.remove("t", "q")).toBe(true);
      for (const stream of ["messages", "attempts"]) {
        const { state } = await api<{ state: { messages: number } }>(`STREAM.INFO.${prefix}-${stream}`);
        expect([stream, state.messages]).toEqual([stream, 0]);
      }
    });

    test("streams that somebody removed are made again, with the consumers of live members", TIMEOUT, async () => {
      const prefix = fresh();
      const broker = await open({ prefix });
      const texts: string[] = [];
      await broker.subscribe("t", (delivery) => void texts.push(delivery.text()), { queue: "q" });
      await broker.subscribe("t", (delivery) => void texts.push(delivery.text()));
      await broker.publish("t", { body: "1" });
      await wait("the first arrived", () => texts.length === 2);
      for (const name of ["messages", "dead", "attempts"]) await api(`STREAM.DELETE.${prefix}-${name}`);
      await wait("the consumers are back", async () => {
        const { consumers } = await api<{ consumers?: string[] }>(`CONSUMER.NAMES.${prefix}-messages`);
        return consumers?.length === 2;
      });
      await broker.publish("t", { body: "2" });
      await wait("the second arrived", () => texts.length === 4);
    });

    test(
      "a broadcast subscriber loses nothing over a cut, and a message in its handler is not handled twice",
      TIMEOUT,
      async () => {
        const prefix = fresh();
        const proxy = await faultProxy(engine);
        cleanups.push(() => proxy.close());
        const cut = await open({ prefix, servers: `127.0.0.1:${proxy.port}` });
        const publisher = await open({ prefix });
        const texts: string[] = [];
        let release: () => void = () => {};
        const held = new Promise<void>((resolve) => {
          release = resolve;
        });
        await cut.subscribe("t", async (delivery) => {
          texts.push(`${delivery.text()} ${delivery.attempt}`);
          if (delivery.text() === "held") await held;
        });
        await publisher.publish("t", { body: "held" });
        await wait("it is held", () => texts.length === 1);
        await proxy.refuse();
        proxy.cut();
        await wait("the cut was noticed", () => cut.status === "reconnecting");
        for (let number = 0; number < 10; number += 1) await publisher.publish("t", { body: String(number) });
        await proxy.accept();
        await wait("everything arrived", () => texts.length >= 11);
        release();
        await publisher.publish("t", { body: "last" });
        await wait("the last arrived", () => texts.includes("last 1"));
        const between = Array.from({ length: 10 }, (_, number) => `${number} 1`);
        expect(texts.toSorted()).toEqual([...between, "held 1", "last 1"]);
      },
    );

    test("a handler that outlasts the redelivery time keeps its message while its process lives", TIMEOUT, async () => {
      const broker = await open({ prefix: fresh() });
      let starts = 0;
      let release: () => void = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const handle = async (): Promise<void> => {
        starts += 1;
        await held;
      };
      await broker.subscribe("t", handle, { queue: "q", concurrency: 1, prefetch: 2 });
      await (await open({ prefix: fresh() })).disconnect();
      const startedAt = Date.now();
      for (const body of ["1", "2"]) await broker.publish("t", { body });
      await wait("three times the redelivery time is over", () => Date.now() - startedAt > 3_000);
      expect(starts).toBe(1);
      release();
      await wait("the second came", () => starts === 2);
    });

    test("a member that was cut off does not excuse a process that died before it came", TIMEOUT, async () => {
      const [prefix, redeliverAfterMs] = [fresh(), 3_000];
      const proxy = await faultProxy(engine);
      cleanups.push(() => proxy.close());
      const publisher = await open({ prefix, redeliverAfterMs });
      await publisher.createQueue("t", "q");
      await publisher.publish("t", { body: "lethal" });
      // As a process that takes the message, and dies.
      const taken = admin.subscribe(createInbox(), { max: 1 });
      const next = `$JS.API.CONSUMER.MSG.NEXT.${prefix}-messages.${queueName("t", "q")}`;
      admin.publish(next, '{"batch":1}', { reply: taken.getSubject() });
      await wait("it is taken", () => taken.getReceived() === 1);
      const diedAt = Date.now();
      await wait("a while is over", () => Date.now() - diedAt > 500);
      const member = await open({ prefix, redeliverAfterMs, servers: `127.0.0.1:${proxy.port}` });
      const attempts: number[] = [];
      await member.subscribe("t", ({ attempt }) => void attempts.push(attempt), { queue: "q" });
      await proxy.refuse();
      proxy.cut();
      await wait("the cut was noticed", () => member.status === "reconnecting");
      await proxy.accept();
      await wait("it arrived", () => attempts.length === 1);
      expect(attempts).toEqual([2]);
    });

    test("a message that comes again while its handler runs has used one attempt", TIMEOUT, async () => {
      const prefix = fresh();
      const proxy = await faultProxy(engine);
      cleanups.push(() => proxy.close());
      const member = await open({ prefix, servers: `127.0.0.1:${proxy.port}` });
      const attempts: number[] = [];
      let fail: (error: Error) => void = () => {};
      const failed = new Promise<void>((_, reject) => {
        fail = reject;
      });
      const handle = async ({ attempt }: Delivery): Promise<void> => {
        attempts.push(attempt);
        if (attempts.length === 1) await failed;
      };
      await member.subscribe("t", handle, { queue: "q", backoffMs: 1 });
      await member.publish("t", { body: "x" });
      await wait("it is held", () => attempts.length === 1);
      await proxy.refuse();
      proxy.cut();
      const consumer = `${prefix}-messages.${queueName("t", "q")}`;
      const redelivered = async (): Promise<number> =>
        (await api<{ num_redelivered: number }>(`CONSUMER.INFO.${consumer}`)).num_redelivered;
      const cutAt = Date.now();
      await wait("the server takes it for lost", () => Date.now() - cutAt > 1_500);
      await proxy.accept();
      await wait("it came again", async () => (await redelivered()) === 1);
      const againAt = Date.now();
      // For so long the cut would excuse a delivery that nobody knows of.
      await wait("the cut is forgotten", () => Date.now() - againAt > 4_000);
      fail(new Error("no"));
      await wait("it is tried again", () => attempts.length === 2);
      expect(attempts).toEqual([1, 2]);
    });

    test("a publish that is unanswered when the connection is given up fails then", TIMEOUT, async () => {
      const proxy = await faultProxy(engine);
      cleanups.push(() => proxy.close());
      const reconnect = { minDelayMs: 1, maxDelayMs: 5, maxAttempts: 2 };
      const broker = await open({ prefix: fresh(), servers: `127.0.0.1:${proxy.port}` }, { reconnect });
      proxy.halfOpen();
      const failure = caught(broker.publish("t", { body: "x" }));
      await wait("it is on its way", () => proxy.counters.bytesSwallowed > 0);
      await proxy.refuse();
      proxy.cut();
      await wait("the broker is closed", () => broker.status === "closed");
      const late = new Promise((resolve) => setTimeout(resolve, 5_000, "late"));
      expect(await Promise.race([failure, late])).toMatchObject({ code: "ERR_CONNECTION_LOST", retryable: true });
    });

    test("an attempt to reconnect that nobody answers ends, and the next is made", TIMEOUT, async () => {
      const proxy = await faultProxy(engine);
      cleanups.push(() => proxy.close());
      const broker = await open({ prefix: fresh(), servers: `127.0.0.1:${proxy.port}` }, { connectTimeoutMs: 60_000 });
      const { accepted } = proxy.counters;
      proxy.halfOpen();
      proxy.cut();
      await wait("it is tried into the silence", () => proxy.counters.accepted > accepted);
      await proxy.heal();
      await wait("the broker is connected again", () => broker.status === "connected");
    });

    test("publishes that wait for room are taken in their order, and ask one at a time", TIMEOUT, async () => {
      const own = { prefix: fresh(), maxMessages: 50 };
      const patient = await open(own, { whenFull: "wait" });
      await patient.createQueue("t", "q");
      const count = 300;
      const stored: number[] = [];
      const publishing = Array.from({ length: count }, async (_, number) => {
        await patient.publish("t", { body: String(number) });
        stored.push(number);
      });
      await wait("the stream is full", () => stored.length === 50);
      const asked = patient.native.stats().outMsgs;
      const since = Date.now();
      await wait("a second is over", () => Date.now() - since > 1_000);
      expect(patient.native.stats().outMsgs - asked).toBeLessThan(20);
      const texts: string[] = [];
      await (await open({ ...own })).subscribe("t", (delivery) => void texts.push(delivery.text()), { queue: "q" });
      await Promise.all(publishing);
      await wait("everything arrived", () => texts.length === count);
      expect(stored).toEqual(Array.from({ length: count }, (_, number) => number));
      expect(texts).toEqual(stored.map(String));
    });

    test(
      "a message whose native headers no client can read becomes a dead letter, and harms no other",
      TIMEOUT,
      async () => {
        const prefix = fresh();
        const broker = await open({ prefix });
        const texts: string[] = [];
        await broker.subscribe("t", (delivery) => void texts.push(delivery.text()), { queue: "q" });
        const block = "NATS/1.0\r\nNo Name: of a header\r\n\r\n";
        await converse(engine.port, AbortSignal.timeout(20_000), async ({ send, expect: heard }) => {
          const message = `HPUB ${prefix}.t.-.t ${block.length} ${block.length + 4}\r\n${block}body\r\n`;
          send(`CONNECT {"verbose":false,"headers":true}\r\n${message}PING\r\n`);
          await heard((received) => (received.includes("PONG") ? true : undefined));
        });
        await wait("it is dead", async () => (await broker.deadLetters.list("dlq.t")).length === 1);
        const [letter] = await broker.deadLetters.list("dlq.t");
        expect(letter?.reason).toMatch(/native headers cannot be read/);
        expect(Buffer.from(letter?.body ?? "").toString()).toBe("body");
        await broker.publish("t", { body: "whole" });
        await wait("the next arrived", () => texts.length > 0);
        expect([texts, broker.status, errors.map(({ code }) => code)]).toEqual([["whole"], "connected", []]);
      },
    );

    test("answers of somebody who listens in are not taken for the server's", TIMEOUT, async () => {
      const prefix = fresh();
      const meddler = await connect({ servers: `${engine.host}:${engine.port}` });
      cleanups.push(() => meddler.close());
      meddler.subscribe(`${prefix}.>`, { callback: (_error, message) => void message.respond("hello") });
      await meddler.flush();
      const broker = await open({ prefix });
      const texts: string[] = [];
      await broker.subscribe("t", (delivery) => void texts.push(delivery.text()), { queue: "q" });
      for (const body of ["1", "2", "3"]) expect((await broker.publish("t", { body })).state).toBe("stored");
      await wait("everything arrived", () => texts.length === 3);
      expect((await broker.queues.list()).map(({ queue, members }) => [queue, members])).toEqual([["q", 1]]);
      expect([broker.status, errors]).toEqual(["connected", []]);
    });

    test("a connection that is given stays open, and nothing of the broker stays on it", TIMEOUT, async () => {
      const asked = vi.spyOn(admin, "status");
      cleanups.push(() => asked.mockRestore());
      const broker = await open({ prefix: fresh(), connection: admin });
      expect(broker.native).toBe(admin);
      const texts: string[] = [];
      await broker.subscribe("t", (delivery) => void texts.push(delivery.text()));
      await broker.publish("t", { body: "x" });
      await wait("it arrived", () => texts.length === 1);
      await broker.disconnect();
      expect(admin.isClosed()).toBe(false);
      const heard = asked.mock.results.map(({ value }) => value as { done: boolean });
      expect(heard.map(({ done }) => done)).toEqual([true]);
    });

    test("a subject that the server refuses fails the call that needs it", TIMEOUT, async () => {
      const prefix = fresh();
      await open({ prefix });
      const strict = await startNats({
        config: `authorization { users: [ { user: u, password: p, permissions: { publish: { deny: "${prefix}.t.>" } } } ] }`,
      });
      cleanups.push(() => strict.stop());
      const broker = await open({ prefix, servers: `${strict.host}:${strict.port}`, user: "u", password: "p" });
      const startedAt = Date.now();
      expect((await caught(broker.publish("t", { body: "x" }))).code).toBe("ERR_AUTHENTICATION");
      expect(Date.now() - startedAt).toBeLessThan(5_000);
    });
  },
  { own: true },
);
