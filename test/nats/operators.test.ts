import { connect, headers, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Broker } from "../../src/broker.ts";
import { createBroker } from "../../src/create-broker.ts";
import { nats } from "../../src/drivers/nats/index.ts";
import type { NatsOptions } from "../../src/drivers/nats/options.ts";
import { queueName } from "../../src/drivers/nats/subjects.ts";
import type { BrokerError } from "../../src/errors.ts";
import { silentLogger } from "../../src/logger.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { type NatsEngine, startNats } from "../support/engines/nats.ts";
import { faultProxy } from "../support/fault-proxy.ts";

const TIMEOUT = { timeout: 60_000 };

describeWithEngine(
  "nats",
  "JetStream, what its operator does",
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

    const open = async (own: NatsOptions = {}): Promise<{ broker: Broker<NatsConnection>; prefix: string }> => {
      prefixes += 1;
      const prefix = `operated-${process.pid}-${prefixes}`;
      const driver = nats({ servers: `${engine.host}:${engine.port}`, redeliverAfterMs: 1_000, prefix, ...own });
      const broker = createBroker(driver, { logger: silentLogger, onError: (error) => errors.push(error) });
      cleanups.push(() => broker.disconnect());
      await broker.connect();
      return { broker, prefix };
    };
    const api = async <T = Record<string, unknown>>(call: string, body: object = {}): Promise<T> =>
      (await admin.request(`$JS.API.${call}`, JSON.stringify(body))).json<T>();
    const wait = (what: string, condition: () => unknown): Promise<unknown> =>
      until(condition, { what, deadlineMs: 20_000 });
    const fail = (): void => {
      throw new Error("it always fails");
    };

    test(
      "a removed stream of attempts is made again: what failed is tried again, and dead-lettered",
      TIMEOUT,
      async () => {
        const { broker, prefix } = await open();
        const attempts: number[] = [];
        const failing = ({ attempt }: { attempt: number }): void => {
          attempts.push(attempt);
          fail();
        };
        await broker.subscribe("t", failing, { queue: "q", maxAttempts: 3, backoffMs: 10 });
        await api(`STREAM.DELETE.${prefix}-attempts`);
        await broker.publish("t", { body: "x" });
        await wait("it is a dead letter", async () => (await broker.deadLetters.list("t")).length === 1);
        expect(attempts).toEqual([1, 2, 3]);
      },
    );

    test("removed streams of dead letters hold none, and are made again for the next one", TIMEOUT, async () => {
      const { broker, prefix } = await open();
      await broker.subscribe("t", fail, { queue: "q", maxAttempts: 1 });
      for (const name of ["dead", "copies"]) await api(`STREAM.DELETE.${prefix}-${name}`);
      expect([await broker.deadLetters.topics(), await broker.deadLetters.list("t")]).toEqual([[], []]);
      await broker.publish("t", { body: "x" });
      await wait("it is a dead letter", async () => (await broker.deadLetters.list("t")).length === 1);
    });

    test("a removed stream of messages is made again by who only publishes, or makes a queue", TIMEOUT, async () => {
      const { broker, prefix } = await open();
      await api(`STREAM.DELETE.${prefix}-messages`);
      expect(await broker.queues.list()).toEqual([]);
      expect(await broker.publish("t", { body: "x" })).toMatchObject({ state: "stored" });
      await api(`STREAM.DELETE.${prefix}-messages`);
      await broker.createQueue("t", "q");
      await broker.publish("t", { body: "x" });
      expect(await broker.queues.list()).toMatchObject([{ queue: "q", messages: 1 }]);
      expect(errors).toEqual([]);
    });

    test(
      "a dead letter that another program wrote stays, and keeps no other from being redriven",
      TIMEOUT,
      async () => {
        const { broker, prefix } = await open();
        const texts: string[] = [];
        const failOnce = (delivery: { text(): string }): void => {
          texts.push(delivery.text());
          if (texts.length === 1) fail();
        };
        const forged = headers();
        forged.set("Tidings-Origin", '{"pattern":5,"queue":"q"}');
        forged.set("Tidings-Header", '{"Tidings-Dead-First":"never"}');
        admin.publish(`${prefix}.s.t`, "forged", { headers: forged });
        await broker.subscribe("t", failOnce, { queue: "q", maxAttempts: 1 });
        await broker.publish("t", { body: "x" });
        await wait("both are dead letters", async () => (await broker.deadLetters.list("t")).length === 2);
        expect(await broker.deadLetters.redrive("t")).toBe(1);
        await wait("it came again", () => texts.length === 2);
        const [left] = await broker.deadLetters.list("t");
        expect([Buffer.from(left?.body ?? "").toString(), Number.isNaN(left?.firstAt.getTime())]).toEqual([
          "forged",
          false,
        ]);
      },
    );

    test(
      "a consumer that becomes another kind holds up no reconnect; when it is as it was, it goes on",
      TIMEOUT,
      async () => {
        const proxy = await faultProxy(engine);
        cleanups.push(() => proxy.close());
        const { broker, prefix } = await open({ servers: `${proxy.host}:${proxy.port}` });
        const texts: string[] = [];
        const take = (delivery: { text(): string }): void => void texts.push(delivery.text());
        await broker.subscribe("t", take, { queue: "q" });
        await broker.subscribe("other", take);
        const consumer = `${prefix}-messages.${queueName("t", "q")}`;
        const { config } = await api<{ config: object }>(`CONSUMER.INFO.${consumer}`);
        const update = (max_deliver: number) => {
          const body = { stream_name: `${prefix}-messages`, config: { ...config, max_deliver } };
          return api(`CONSUMER.DURABLE.CREATE.${consumer}`, body);
        };
        await update(2);
        proxy.cut();
        await wait("it is reported", () => errors.some(({ code }) => code === "ERR_INVALID_OPTION"));
        await wait("the connection is back", () => broker.status === "connected");
        for (const topic of ["t", "other"]) await broker.publish(topic, { body: topic });
        await wait("the other subscription goes on", () => texts.includes("other"));
        await update(-1);
        await wait("it arrived", () => texts.includes("t"));
        expect(errors.filter(({ code }) => code === "ERR_INVALID_OPTION")).toHaveLength(1);
      },
    );

    test("a consumer of another kind is ERR_INVALID_OPTION that names the difference", TIMEOUT, async () => {
      const { broker, prefix } = await open();
      const odd = {
        max_deliver: 2,
        filter_subject: `${prefix}.t.*.other`,
        deliver_subject: "elsewhere",
        ack_policy: "none",
      };
      for (const [name, value] of Object.entries(odd)) {
        const consumer = queueName("t", name);
        const usual = {
          durable_name: consumer,
          ack_policy: "explicit",
          filter_subject: `${prefix}.t.*.t`,
          ack_wait: 1e9,
        };
        const config = { ...usual, deliver_policy: "new", replay_policy: "instant", max_deliver: -1, [name]: value };
        const made = await api(`CONSUMER.DURABLE.CREATE.${prefix}-messages.${consumer}`, {
          stream_name: `${prefix}-messages`,
          config,
        });
        expect(made["error"]).toBeUndefined();
        await expect(broker.subscribe("t", () => {}, { queue: name })).rejects.toMatchObject({
          code: "ERR_INVALID_OPTION",
          message: expect.stringMatching(name),
        });
      }
    });

    test(
      "a consumer that takes no pulls is asked now and then, is reported, and goes on when it does",
      TIMEOUT,
      async () => {
        const { broker, prefix } = await open();
        await broker.createQueue("t", "q");
        const consumer = `${prefix}-messages.${queueName("t", "q")}`;
        const { config } = await api<{ config: object }>(`CONSUMER.INFO.${consumer}`);
        const update = (max_batch: number) =>
          api(`CONSUMER.DURABLE.CREATE.${consumer}`, {
            stream_name: `${prefix}-messages`,
            config: { ...config, max_batch },
          });
        await update(2);
        let pulls = 0;
        const watching = admin.subscribe(`$JS.API.CONSUMER.MSG.NEXT.${consumer}`, {
          callback: () => {
            pulls += 1;
          },
        });
        const texts: string[] = [];
        await broker.subscribe("t", (delivery) => void texts.push(delivery.text()), { queue: "q" });
        await broker.publish("t", { body: "x" });
        await wait("it is reported", () => errors.some(({ message }) => /MaxRequestBatch of 2/.test(message)));
        expect(pulls).toBeLessThan(10);
        watching.unsubscribe();
        await update(1_000);
        await wait("it arrived", () => texts.length === 1);
      },
    );
  },
  { own: true },
);
