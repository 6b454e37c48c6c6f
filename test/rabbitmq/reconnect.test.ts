import { subscribe as subscribeToChannel, unsubscribe as unsubscribeFromChannel } from "node:diagnostics_channel";
import { connect } from "amqplib";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import type { BrokerOptions } from "../../src/broker-options.ts";
import { createBroker } from "../../src/create-broker.ts";
import type { Delivery } from "../../src/delivery.ts";
import { rabbitmq } from "../../src/drivers/rabbitmq/index.ts";
import { deferred } from "../../src/internal/deferred.ts";
import { silentLogger } from "../../src/logger.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { type RabbitmqEngine, startRabbitmq } from "../support/engines/rabbitmq.ts";
import { faultProxy } from "../support/fault-proxy.ts";

const WAIT = { timeout: 20_000, interval: 20 };

describeWithEngine(
  "rabbitmq",
  "a lost connection to RabbitMQ",
  () => {
    let engine: RabbitmqEngine;
    let prefixes = 0;

    beforeAll(async () => {
      engine = await startRabbitmq();
    }, 60_000);

    afterAll(() => engine.stop());

    function setUp() {
      prefixes += 1;
      const prefix = `test-${prefixes}`;
      const open = async (options: BrokerOptions = {}) => {
        const broker = createBroker(rabbitmq({ url: engine.url, prefix }), {
          logger: silentLogger,
          onError: () => {},
          ...options,
        });
        await broker.connect();
        return broker;
      };
      return { open, prefix };
    }

    test("is restored with queue, broadcast and dead-letter consumers; nothing that was confirmed is lost", async () => {
      const { open } = setUp();
      const [publisher, member] = [await open(), await open()];
      const seen = { queue: new Set<string>(), broadcast: new Set<string>() };
      const attempts = new Set<number>();
      await member.subscribe(
        "orders.*",
        (delivery) => {
          attempts.add(delivery.attempt);
          seen.queue.add(delivery.text());
        },
        { queue: "billing" },
      );
      await member.subscribe("orders.>", (delivery) => void seen.broadcast.add(delivery.text()));
      const sent: string[] = [];
      const load = async (round: number) => {
        for (let number = 0; number < 40; number += 1) {
          const body = `${round}#${number}`;
          await publisher.publish("orders.created", { body });
          sent.push(body);
        }
      };
      for (let round = 0; round < 3; round += 1) {
        const loading = load(round);
        await engine.cutConnections();
        await loading;
      }
      await vi.waitFor(() => {
        expect(seen.queue.size).toBe(sent.length);
        expect(seen.broadcast.size).toBe(sent.length);
      }, WAIT);
      expect([...attempts]).toEqual([1]);
      await Promise.all([publisher.disconnect(), member.disconnect()]);
    }, 60_000);

    test("makes nobody report as given up what comes again, and is handled then", async () => {
      const broker = await setUp().open();
      const givenUp: unknown[] = [];
      const listener = (event: unknown) => void givenUp.push(event);
      subscribeToChannel("tidings:give-up", listener);
      onTestFinished(() => void unsubscribeFromChannel("tidings:give-up", listener));
      const handled: string[] = [];
      let starts = 0;
      const handler = async (delivery: Delivery) => {
        starts += 1;
        if (starts === 1) {
          await engine.cutConnections();
          await vi.waitFor(() => expect(broker.status).toBe("reconnecting"), WAIT);
          throw new Error("the connection is lost");
        }
        handled.push(delivery.text());
      };
      await broker.subscribe("t", handler, { queue: "q", maxAttempts: 1, deadLetter: false });
      await broker.publish("t", { body: "x" });
      await vi.waitFor(() => expect(handled).toEqual(["x"]), WAIT);
      expect(givenUp).toEqual([]);
      await broker.disconnect();
    }, 60_000);

    test("costs no attempt of what another member takes over", async () => {
      const { open } = setUp();
      const [publisher, holder] = [await open(), await open()];
      let release = (): void => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      let started = 0;
      const options = { queue: "billing", maxAttempts: 1 };
      await holder.subscribe(
        "orders.created",
        () => {
          started += 1;
          return held;
        },
        { ...options, concurrency: 2, prefetch: 8 },
      );
      for (let number = 0; number < 6; number += 1) await publisher.publish("orders.created", { body: String(number) });
      await vi.waitFor(() => expect(started).toBe(2), WAIT);
      const other = await open();
      const taken: [string, number][] = [];
      await engine.cutConnections();
      await vi.waitFor(() => expect(other.status).toBe("connected"), WAIT);
      await other.subscribe(
        "orders.created",
        (delivery) => void taken.push([delivery.text(), delivery.attempt]),
        options,
      );
      await vi.waitFor(() => expect(holder.status).toBe("connected"), WAIT);
      release();
      await holder.disconnect();
      await vi.waitFor(() => expect(new Set(taken.map(([text]) => text)).size).toBeGreaterThanOrEqual(4), WAIT);
      expect(new Set(taken.map(([, attempt]) => attempt))).toEqual(new Set([1]));
      expect(await publisher.deadLetters.list("orders.created")).toEqual([]);
      await Promise.all([publisher.disconnect(), other.disconnect()]);
    }, 60_000);

    test("costs no attempt of what a member has not started that leaves meanwhile", async () => {
      const { open, prefix } = setUp();
      const proxy = await faultProxy(engine);
      const [publisher, other] = [await open(), await open()];
      const leaver = createBroker(rabbitmq({ url: proxy.through(engine.url), prefix }), {
        logger: silentLogger,
        onError: () => {},
      });
      await leaver.connect();
      const go = deferred<void>();
      const begun = deferred<void>();
      const handler = () => {
        begun.resolve();
        return go.promise;
      };
      const options = { queue: "billing", concurrency: 1, prefetch: 8 };
      const subscriber = await leaver.subscribe("orders.created", handler, options);
      for (let number = 0; number < 6; number += 1) await publisher.publish("orders.created", { body: String(number) });
      await begun.promise;
      // What it writes for those who take over makes several round trips.
      proxy.delay(100);
      const sendsMore = async () => {
        const { bytesUp } = proxy.counters;
        await vi.waitFor(() => expect(proxy.counters.bytesUp).toBeGreaterThan(bytesUp), { ...WAIT, interval: 5 });
      };
      const cancelled = sendsMore();
      const left = subscriber.unsubscribe();
      await cancelled;
      await sendsMore();
      proxy.cut();
      await proxy.heal();
      go.resolve();
      await left;
      const taken = new Map<string, number>();
      await other.subscribe("orders.created", (delivery) => void taken.set(delivery.text(), delivery.attempt), options);
      await vi.waitFor(() => expect(taken.size).toBe(6), WAIT);
      expect([...taken.values()]).toEqual([1, 1, 1, 1, 1, 1]);
      await Promise.all([publisher, other, leaver].map((broker) => broker.disconnect()));
      await proxy.close();
    }, 60_000);

    test("a message whose holder is gone waits for an excuse without leaving anything behind", async () => {
      const { open, prefix } = setUp();
      const warnings: string[] = [];
      const warned = ({ name }: Error) => void warnings.push(name);
      process.on("warning", warned);
      const [publisher, member] = [await open(), await open()];
      await publisher.createQueue("orders.created", "billing");
      await publisher.publish("orders.created", { body: "one" });
      const connection = await connect(engine.url);
      const channel = await connection.createChannel();
      await channel.get(`${prefix}.queue:orders.created:billing`);
      await connection.close();
      const attempts: number[] = [];
      await member.subscribe("orders.created", ({ attempt }) => void attempts.push(attempt), { queue: "billing" });
      // Each of them writes an excuse, but of another queue.
      for (let number = 0; number < 15; number += 1) {
        const leaving = await member.subscribe("orders.paid", () => {}, { queue: `queue-${number}` });
        await leaving.unsubscribe();
      }
      await vi.waitFor(() => expect(attempts).toEqual([2]), WAIT);
      await Promise.all([publisher.disconnect(), member.disconnect()]);
      process.off("warning", warned);
      expect(warnings).toEqual([]);
    }, 60_000);

    test("and a restart of the server keep queues, messages, retries and dead letters", async () => {
      const { open, prefix } = setUp();
      const [publisher, member] = [await open(), await open()];
      await publisher.createQueue("orders.created", "later");
      let broken = true;
      let failures = 0;
      const seen: string[] = [];
      await member.subscribe(
        "orders.paid",
        (delivery) => {
          failures += broken ? 1 : 0;
          if (broken) throw new Error("broken");
          seen.push(delivery.text());
        },
        { queue: "billing", maxAttempts: 2, backoffMs: 15_000, maxBackoffMs: 15_000 },
      );
      await publisher.publish("orders.created", { body: "kept" });
      await publisher.publish("orders.paid", { body: "retried" });
      await publisher.publish("dlq.orders.lost", { body: "dead" });
      // The retry waits, and the server has heard that the first attempt is over: else the message comes once more.
      const atHand = async () => {
        const queues = await engine.ctl("list_queues", "--quiet", "--no-table-headers", "name", "messages");
        return queues.split("\n").find((line) => line.startsWith(`${prefix}.queue:orders.paid:billing\t`));
      };
      await vi.waitFor(() => expect(failures).toBe(1), WAIT);
      await vi.waitFor(async () => expect(await atHand()).toMatch(/\t0$/), WAIT);
      await engine.restart();
      broken = false;
      await vi.waitFor(() => expect(seen).toEqual(["retried"]), { ...WAIT, timeout: 40_000 });
      await vi.waitFor(() => expect(publisher.status).toBe("connected"), WAIT);
      // A handler has a message before the server has its ack.
      const held = async () => (await publisher.queues.list()).map(({ queue, messages }) => [queue, messages]).sort();
      const kept = [
        ["billing", 0],
        ["later", 1],
      ];
      await vi.waitFor(async () => expect(await held()).toEqual(kept), WAIT);
      expect(await publisher.deadLetters.list("orders.lost")).toHaveLength(1);
      await Promise.all([publisher.disconnect(), member.disconnect()]);
    }, 90_000);

    test("a queue that is removed behind its members begins anew", async () => {
      const { open, prefix } = setUp();
      const broker = await open();
      const seen: string[] = [];
      await broker.subscribe("a.b", (delivery) => void seen.push(delivery.text()), { queue: "q" });
      await engine.ctl("delete_queue", `${prefix}.queue:a.b:q`);
      await vi.waitFor(async () => {
        await broker.publish("a.b", { body: "after" });
        expect(seen).toContain("after");
      }, WAIT);
      await broker.disconnect();
    }, 60_000);

    test("a queue that delays retries is made again when it is removed", async () => {
      const { open, prefix } = setUp();
      const broker = await open();
      const seen: string[] = [];
      const failOnce = (delivery: { text(): string; attempt: number }) => {
        seen.push(`${delivery.text()} ${delivery.attempt}`);
        if (delivery.attempt === 1) throw new Error("once more");
      };
      await broker.subscribe("a.b", failOnce, { queue: "q", backoffMs: 40, maxBackoffMs: 40 });
      await broker.publish("a.b", { body: "one" });
      await vi.waitFor(() => expect(seen).toEqual(["one 1", "one 2"]), WAIT);
      await engine.ctl("delete_queue", `${prefix}.delay:50`);
      await broker.publish("a.b", { body: "two" });
      await vi.waitFor(() => expect(seen.slice(2)).toEqual(["two 1", "two 2"]), WAIT);
      await broker.disconnect();
    }, 60_000);

    test("an exchange that is removed behind the driver's back is made again, with its bindings", async () => {
      const { open, prefix } = setUp();
      const broker = await open();
      const seen = new Set<string>();
      await broker.subscribe("a.b", (delivery) => void seen.add(`queue ${delivery.text()}`), { queue: "q" });
      await broker.subscribe("a.>", (delivery) => void seen.add(`broadcast ${delivery.text()}`));
      const connection = await connect(engine.url);
      await (await connection.createChannel()).deleteExchange(prefix);
      await connection.close();
      await broker.publish("a.b", { body: "after" });
      await vi.waitFor(() => expect([...seen].sort()).toEqual(["broadcast after", "queue after"]), WAIT);
      await broker.disconnect();
    }, 60_000);

    test("an exchange that is removed is made again with the bindings of every process", async () => {
      const { open, prefix } = setUp();
      const [publisher, other] = [await open(), await open()];
      const seen: string[] = [];
      await other.subscribe("a.b", (delivery) => void seen.push(`queue ${delivery.text()}`), { queue: "q" });
      await other.subscribe("a.>", (delivery) => void seen.push(`broadcast ${delivery.text()}`));
      await other.createQueue("a.*", "nobody");
      const connection = await connect(engine.url);
      const channel = await connection.createChannel();
      await channel.deleteExchange(prefix);
      expect(await publisher.publish("a.b", { body: "0" })).toMatchObject({ state: "stored" });
      await vi.waitFor(() => expect(seen.toSorted()).toEqual(["broadcast 0", "queue 0"]), WAIT);
      // Both find out at once: whoever makes it again, the other waits until the queues are bound.
      await channel.deleteExchange(prefix);
      await connection.close();
      const publishes = [publisher, other].map((broker, number) => broker.publish("a.b", { body: String(number + 1) }));
      for (const { state } of await Promise.all(publishes)) expect(state).toBe("stored");
      const each = ["queue 0", "queue 1", "queue 2"];
      await vi.waitFor(() => expect(seen.filter((text) => text.startsWith("queue")).toSorted()).toEqual(each), WAIT);
      const counts = (await other.queues.list()).map(({ queue, messages }) => [queue, messages]);
      expect(counts).toContainEqual(["nobody", 3]);
      await Promise.all([publisher.disconnect(), other.disconnect()]);
    }, 60_000);

    test("an exchange that is missing when a process connects is made with the bindings of the others", async () => {
      const { open, prefix } = setUp();
      const other = await open();
      const seen: string[] = [];
      await other.subscribe("a.b", (delivery) => void seen.push(delivery.text()));
      const connection = await connect(engine.url);
      await (await connection.createChannel()).deleteExchange(prefix);
      await connection.close();
      const publisher = await open();
      expect(await publisher.publish("a.b", { body: "heard" })).toMatchObject({ state: "stored" });
      await vi.waitFor(() => expect(seen).toEqual(["heard"]), WAIT);
      await Promise.all([publisher.disconnect(), other.disconnect()]);
    }, 60_000);

    test("what counts the members' messages works again when somebody removed its queue", async () => {
      const { open, prefix } = setUp();
      const [asking, other] = [await open(), await open()];
      const held = deferred<void>();
      await other.subscribe("a.b", () => held.promise, { queue: "q" });
      await asking.subscribe("a.b", () => {}, { queue: "another" });
      await other.publish("a.b", {});
      const counted = async () => (await asking.queues.list()).map(({ queue, messages }) => [queue, messages]);
      await vi.waitFor(async () => expect(await counted()).toContainEqual(["q", 1]), WAIT);
      await engine.ctl("delete_queue", `${prefix}.listeners`);
      await vi.waitFor(async () => expect(await counted()).toContainEqual(["q", 1]), WAIT);
      held.resolve();
      await Promise.all([asking.disconnect(), other.disconnect()]);
    }, 60_000);

    test("does not hold up calls for ever while the server is frozen", async () => {
      const { prefix } = setUp();
      const driver = rabbitmq({ url: engine.url, prefix, heartbeatMs: 1_000 });
      const broker = createBroker(driver, { logger: silentLogger, onError: () => {} });
      await broker.connect();
      const subscriber = await broker.subscribe("a.b", () => {}, { queue: "q", drainTimeoutMs: 1_000 });
      engine.pause();
      const calls = [
        broker.subscribe("a.b", () => {}),
        broker.subscribe("a.b", () => {}, { queue: "q" }),
        broker.createQueue("a.b", "another"),
        broker.queues.list(),
        broker.queues.remove("a.b", "q"),
        broker.deadLetters.list("a.b"),
        broker.deadLetters.topics(),
      ];
      await subscriber.unsubscribe().catch(() => {
        // It says that it did not close in time.
      });
      for (const call of await Promise.allSettled(calls))
        expect(call).toMatchObject({ reason: { code: "ERR_CONNECTION_LOST", retryable: true } });
      engine.resume();
      await vi.waitFor(() => expect(broker.status).toBe("connected"), WAIT);
      expect(await broker.queues.list()).toMatchObject([{ queue: "q" }]);
      await broker.disconnect();
    }, 120_000);

    test("gives up after reconnect.maxAttempts", async () => {
      const broker = await setUp().open({ reconnect: { minDelayMs: 10, maxDelayMs: 10, maxAttempts: 2 } });
      await engine.kill();
      await vi.waitFor(() => expect(broker.status).toBe("closed"), WAIT);
      await expect(broker.publish("a", {})).rejects.toMatchObject({ code: "ERR_NOT_CONNECTED" });
      await engine.startAgain();
    }, 60_000);
  },
  { own: true },
);
