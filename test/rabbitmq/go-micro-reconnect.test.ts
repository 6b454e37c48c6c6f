import { type Channel, type ChannelModel, connect } from "amqplib";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { BrokerOptions } from "../../src/broker-options.ts";
import { createBroker } from "../../src/create-broker.ts";
import { rabbitmq } from "../../src/drivers/rabbitmq/index.ts";
import type { BrokerError } from "../../src/errors.ts";
import { silentLogger } from "../../src/logger.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { type RabbitmqEngine, startRabbitmq } from "../support/engines/rabbitmq.ts";
import { type FaultProxy, faultProxy } from "../support/fault-proxy.ts";

const TIMEOUT = { timeout: 180_000 };

/** How long anything here may take, in milliseconds: a node of RabbitMQ starts in several seconds. */
const WAIT = { deadlineMs: 60_000 };

describeWithEngine(
  "rabbitmq",
  'a lost connection to RabbitMQ with wire "go-micro"',
  () => {
    let engine: RabbitmqEngine;
    let topics = 0;

    beforeAll(async () => {
      engine = await startRabbitmq();
    }, 60_000);
    afterAll(() => engine.stop());

    /** A client as go-micro is one, which knows nothing of the proxy. */
    const goMicro = async (): Promise<{ model: ChannelModel; channel: Channel }> => {
      const model = await connect(engine.url);
      // A restart of the engine ends it.
      model.on("error", () => {});
      onTestFinished(() => model.close().catch(() => {}));
      const channel = await model.createChannel();
      channel.on("error", () => {});
      return { model, channel };
    };

    /** A broker behind a proxy, with a member of a queue and a broadcast subscription on a topic of this test's own. */
    const setUp = async (options: BrokerOptions = {}) => {
      topics += 1;
      const topic = `reconnect.t${topics}`;
      const queue = `workers.${topics}`;
      const proxy: FaultProxy = await faultProxy(engine);
      onTestFinished(() => proxy.close());
      const errors: BrokerError[] = [];
      const broker = createBroker(rabbitmq({ url: proxy.through(engine.url) }), {
        wire: "go-micro",
        logger: silentLogger,
        reconnect: { minDelayMs: 10, maxDelayMs: 100 },
        onError: (error) => void errors.push(error),
        ...options,
      });
      onTestFinished(() => broker.disconnect());
      await broker.connect();
      const got = { queue: [] as string[], broadcast: [] as string[] };
      await broker.subscribe(topic, (delivery) => void got.queue.push(delivery.text()), { queue });
      await broker.subscribe("reconnect.*", (delivery) => {
        if (delivery.topic === topic) got.broadcast.push(delivery.text());
      });
      const isUp = () => until(() => broker.status === "connected", { what: "the connection is back", ...WAIT });
      const isDown = () => until(() => broker.status === "reconnecting", { what: "the loss was noticed", ...WAIT });
      return { broker, topic, queue, proxy, errors, got, isUp, isDown };
    };

    /** Checks that both subscriptions get what go-micro publishes, and that go-micro gets ours. */
    const talks = async ({ broker, topic, queue, got }: Awaited<ReturnType<typeof setUp>>, text: string) => {
      const { model, channel } = await goMicro();
      await channel.checkExchange("micro");
      expect(await channel.checkQueue(queue)).toMatchObject({ consumerCount: 1 });
      channel.publish("micro", topic, Buffer.from(text));
      await until(() => got.queue.includes(text) && got.broadcast.includes(text), {
        what: `${text} reached both subscriptions`,
        detail: () => JSON.stringify(got),
        ...WAIT,
      });
      const heard: string[] = [];
      const own = await channel.assertQueue("", { exclusive: true });
      await channel.bindQueue(own.queue, "micro", topic);
      await channel.consume(own.queue, (message) => message !== null && heard.push(message.content.toString()));
      expect((await broker.publish(topic, { body: `${text}, ours` })).state).toBe("sent");
      await until(() => heard.includes(`${text}, ours`), { what: "go-micro got ours", ...WAIT });
      await model.close();
    };

    test("is restored after cuts, with the queue's member and the broadcast on it", TIMEOUT, async () => {
      const setup = await setUp();
      await talks(setup, "before");
      for (let round = 1; round <= 3; round += 1) {
        // One connection for publishes, and one for everything else.
        expect(setup.proxy.cut()).toBe(2);
        await setup.isDown();
        await setup.isUp();
        await talks(setup, `after cut ${round}`);
      }
      // Once each: nothing was left behind that consumes as well.
      expect(setup.got.queue.filter((text) => text.endsWith("cut 3"))).toEqual(["after cut 3"]);
      expect(setup.got.broadcast.filter((text) => text.endsWith("cut 3"))).toEqual(["after cut 3"]);
      expect(setup.errors.map(({ code }) => code)).toEqual([
        "ERR_CONNECTION_LOST",
        "ERR_CONNECTION_LOST",
        "ERR_CONNECTION_LOST",
      ]);
    });

    test("makes publishes wait in order, up to the buffer's bound, and then they are sent", TIMEOUT, async () => {
      const { broker, topic, proxy, got, isDown } = await setUp({ bufferMessages: 3 });
      await proxy.refuse();
      proxy.cut();
      await isDown();
      const states: string[] = [];
      const waiting = ["1", "2", "3"].map((body) =>
        broker.publish(topic, { body }).then(({ state }) => void states.push(state)),
      );
      await expect(broker.publish(topic, { body: "4" })).rejects.toMatchObject({ code: "ERR_BACKLOG_FULL" });
      const more: string[] = [];
      const subscribing = broker.subscribe("reconnect.>", (delivery) => void more.push(delivery.topic));
      expect([broker.status, states]).toEqual(["reconnecting", []]);
      await proxy.accept();
      await Promise.all([...waiting, subscribing]);
      expect(states).toEqual(["sent", "sent", "sent"]);
      await until(() => got.queue.length === 3 && got.broadcast.length === 3, { what: "they came back here", ...WAIT });
      expect(got).toEqual({ queue: ["1", "2", "3"], broadcast: ["1", "2", "3"] });
      await broker.publish("reconnect.late", { body: "" });
      await until(() => more.includes("reconnect.late"), { what: "the late subscription is there", ...WAIT });
    });

    test("answers every publish that was on its way", TIMEOUT, async () => {
      const { broker, topic, proxy, isUp } = await setUp();
      proxy.halfOpen();
      const answer = broker.publish(topic, { body: "lost" }).catch((error: unknown) => error);
      await until(() => proxy.counters.bytesSwallowed > 0, { what: "it is on its way", ...WAIT });
      await proxy.heal();
      proxy.cut();
      expect(await answer).toMatchObject({ code: "ERR_CONNECTION_LOST", retryable: true });
      await isUp();
      expect((await broker.publish(topic, { body: "again" })).state).toBe("sent");
    });

    test.each([
      ["a restart of the server", () => engine.restart()],
      [
        "a crash of the server",
        async () => {
          await engine.kill();
          await engine.startAgain();
        },
      ],
    ])("%s has the exchange and the queues declared again", TIMEOUT, async (_what, trouble) => {
      const setup = await setUp();
      await talks(setup, "before");
      await trouble();
      await setup.isUp();
      await talks(setup, "after");
    });

    test("a durable queue that go-micro made is taken again after a restart", TIMEOUT, async () => {
      const { channel, model } = await goMicro();
      await channel.assertQueue("durable.reconnect", { durable: true });
      const { broker, topic, isUp } = await setUp();
      const got: string[] = [];
      await broker.subscribe(topic, (delivery) => void got.push(delivery.text()), { queue: "durable.reconnect" });
      await model.close();
      await engine.restart();
      await isUp();
      const { channel: after } = await goMicro();
      expect(await after.checkQueue("durable.reconnect")).toMatchObject({ consumerCount: 1 });
      after.publish("micro", topic, Buffer.from("hello"));
      await until(() => got.length === 1, { what: "it arrived", ...WAIT });
    });

    test("an exchange that is removed behind the driver's back is made again, with its bindings", TIMEOUT, async () => {
      const setup = await setUp();
      const { channel } = await goMicro();
      await channel.deleteExchange("micro");
      // RabbitMQ tells of it with the next message, which is lost: at most once.
      await expect(setup.broker.publish(setup.topic, { body: "nowhere" })).rejects.toMatchObject({
        code: "ERR_CONNECTION_LOST",
      });
      // The next waits until there is an exchange again: the connection has held.
      expect((await setup.broker.publish(setup.topic, { body: "next" })).state).toBe("sent");
      await until(() => setup.got.queue.length === 1 && setup.got.broadcast.length === 1, {
        what: "it arrived",
        ...WAIT,
      });
      expect([setup.got, setup.errors]).toEqual([{ queue: ["next"], broadcast: ["next"] }, []]);
      await talks(setup, "after");
    });

    test("a queue that is removed behind its member is made again", TIMEOUT, async () => {
      const setup = await setUp();
      const { channel } = await goMicro();
      await channel.deleteQueue(setup.queue);
      const isBack = async () => {
        const { model, channel: probe } = await goMicro();
        const found = await probe.checkQueue(setup.queue).catch(() => undefined);
        await model.close();
        return found?.consumerCount === 1;
      };
      await until(isBack, { what: "the queue is there again", ...WAIT });
      await talks(setup, "after");
    });

    test("a message in hand when it breaks goes to another member of its queue", TIMEOUT, async () => {
      const { broker, topic, queue, proxy, isUp } = await setUp();
      const { channel } = await goMicro();
      const theirs: string[] = [];
      let release = (): void => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      let started = 0;
      const shared = `${topic}.held`;
      await broker.subscribe(
        shared,
        () => {
          started += 1;
          return held;
        },
        { queue: `${queue}.held` },
      );
      channel.publish("micro", shared, Buffer.from("one"));
      await until(() => started === 1, { what: "our handler has it", ...WAIT });
      await channel.consume(`${queue}.held`, (message) => {
        if (message === null) return;
        theirs.push(message.content.toString());
        channel.ack(message);
      });
      proxy.cut();
      await until(() => theirs.length === 1, { what: "the other member got it", ...WAIT });
      release();
      await isUp();
      expect([theirs, started]).toEqual([["one"], 1]);
    });
  },
  { own: true },
);
