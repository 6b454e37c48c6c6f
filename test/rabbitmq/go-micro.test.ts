import { subscribe as subscribeToChannel, unsubscribe as unsubscribeFromChannel } from "node:diagnostics_channel";
import { type Channel, type ChannelModel, type ConsumeMessage, connect } from "amqplib";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Broker } from "../../src/broker.ts";
import { createBroker } from "../../src/create-broker.ts";
import type { Delivery } from "../../src/delivery.ts";
import type { BrokerOptions, GivenUp } from "../../src/driver.ts";
import { rabbitmq } from "../../src/drivers/rabbitmq/index.ts";
import { deferred } from "../../src/internal/deferred.ts";
import { silentLogger } from "../../src/logger.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { bytesOf, TRANSCRIPTS } from "../interop/transcripts.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { type RabbitmqEngine, startRabbitmq } from "../support/engines/rabbitmq.ts";

const TIMEOUT = { timeout: 60_000 };

/** What is given up from now on, until the test ends. */
function givenUpMessages(): readonly GivenUp[] {
  const givenUp: GivenUp[] = [];
  const listener = (event: unknown) => void givenUp.push(event as GivenUp);
  subscribeToChannel("tidings:give-up", listener);
  onTestFinished(() => void unsubscribeFromChannel("tidings:give-up", listener));
  return givenUp;
}

describeWithEngine("rabbitmq", 'RabbitMQ with wire "go-micro"', () => {
  let engine: RabbitmqEngine;
  let model: ChannelModel;
  let go: Channel;

  beforeAll(async () => {
    engine = await startRabbitmq();
    model = await connect(engine.url);
    go = await model.createChannel();
  }, 60_000);
  afterAll(async () => {
    await model.close();
    await engine.stop();
  });

  const open = async (options: BrokerOptions = {}) => {
    const common: BrokerOptions = { wire: "go-micro", logger: silentLogger, onError: () => {} };
    const broker = createBroker(rabbitmq({ url: engine.url }), { ...common, ...options });
    await broker.connect();
    return broker;
  };

  test("what go-micro published arrives, and ours is a message of go-micro", TIMEOUT, async () => {
    await using broker = await open();
    expect(broker.capabilities.guarantee).toBe("at-most-once");
    const received: Delivery[] = [];
    await broker.subscribe("a.>", (delivery) => void received.push(delivery));
    const taken: ConsumeMessage[] = [];
    const { queue } = await go.assertQueue("", { exclusive: true });
    await go.bindQueue(queue, "micro", "a.d");
    await go.consume(queue, (message) => message !== null && taken.push(message), { noAck: true });
    // As go-micro v6 sent it.
    const headers = { "Content-Type": "application/json", "Micro-ID": "437ec7e3", "Micro-Topic": "a.d", n: 7 };
    go.publish("micro", "a", Buffer.from("no word after the dot"));
    go.publish("micro", "a.d", Buffer.from('{"x":1}\n'), { headers });
    await until(() => received.length === 1 && taken.length === 1, { what: "it arrived" });
    expect(received[0]).toMatchObject({ topic: "a.d", id: "437ec7e3", attempt: 1 });
    expect({ ...received[0]?.message.header }).toEqual({ ...headers, n: "7" });
    expect(received[0]?.json()).toEqual({ x: 1 });
    expect((await broker.publish("a.d", { header: { Foo: "bär" }, body: Buffer.from([0, 255]) })).state).toBe("sent");
    await until(() => taken.length === 2, { what: "ours arrived" });
    const ours = taken[1];
    expect([ours?.fields.exchange, ours?.fields.routingKey]).toEqual(["micro", "a.d"]);
    expect([ours?.properties.headers, [...(ours?.content ?? [])]]).toEqual([{ Foo: "bär" }, [0, 255]]);
    expect([ours?.properties.contentType, ours?.properties.messageId]).toEqual([undefined, undefined]);
  });

  test("what real go-micro sent arrives, and ours is the same on the wire", TIMEOUT, async () => {
    const messages = TRANSCRIPTS.flatMap(({ rabbitmq = [] }) => rabbitmq);
    expect(messages.length).toBeGreaterThan(0);
    await using broker = await open();
    const received: Delivery[] = [];
    await broker.subscribe("transcript.*", (delivery) => void received.push(delivery));
    const taken: ConsumeMessage[] = [];
    const { queue } = await go.assertQueue("", { exclusive: true });
    await go.bindQueue(queue, "micro", "transcript.*");
    await go.consume(queue, (message) => message !== null && taken.push(message), { noAck: true });
    for (const { sent } of messages) {
      const [before, body] = [taken.length, bytesOf(sent.body)];
      go.publish(sent.exchange, sent.routingKey, body, { ...sent.properties, headers: sent.headers });
      await until(() => received.length === before + 1 && taken.length === before + 1, { what: "theirs arrived" });
      const header = { ...received.at(-1)?.message.header };
      expect([received.at(-1)?.topic, header]).toEqual([sent.routingKey, sent.headers]);
      expect(Buffer.from(received.at(-1)?.message.body ?? [])).toEqual(body);
      await broker.publish(sent.routingKey, { header, body });
      await until(() => received.length === before + 2 && taken.length === before + 2, { what: "ours arrived" });
      const [theirs, ours] = taken.slice(-2);
      expect(ours?.properties).toEqual(theirs?.properties);
      expect([ours?.fields.exchange, ours?.fields.routingKey]).toEqual([sent.exchange, sent.routingKey]);
      expect(ours?.content).toEqual(body);
    }
  });

  test("a queue is go-micro's, also one that was made durable", TIMEOUT, async () => {
    await go.assertQueue("durable.workers", { durable: true });
    await using broker = await open();
    for (const queue of ["workers", "durable.workers"]) {
      const ours: string[] = [];
      const theirs: string[] = [];
      await broker.subscribe(`q.${queue}`, (delivery) => void ours.push(delivery.text()), { queue });
      await go.consume(queue, (message) => message !== null && theirs.push(message.content.toString()), {
        noAck: true,
      });
      for (let n = 0; n < 50; n += 1) await broker.publish(`q.${queue}`, { body: String(n) });
      await until(() => ours.length + theirs.length >= 50, { what: "all arrived" });
      expect([ours.length + theirs.length, ours.length > 0, theirs.length > 0]).toEqual([50, true, true]);
    }
  });

  test("a queue without a durable flag goes with its last consumer", TIMEOUT, async () => {
    const broker = await open();
    await broker.subscribe("gone", () => {}, { queue: "gone.workers" });
    await broker.disconnect();
    const probe = await model.createChannel();
    probe.on("error", () => {});
    await expect(probe.checkQueue("gone.workers")).rejects.toThrow(/NOT_FOUND|404/);
  });

  describe.each([undefined, "last.workers"])("where the queue goes with its subscription (%s),", (queue) => {
    /** Twelve messages for a subscription that holds eight of them and has begun with the first, which waits for `go`. */
    const arrived = async (broker: Broker) => {
      const [started, go] = [deferred<void>(), deferred<void>()];
      const handled: string[] = [];
      const handler = async (delivery: Delivery) => {
        started.resolve();
        await go.promise;
        handled.push(delivery.text());
      };
      const limits = { concurrency: 1, prefetch: 8 };
      const subscriber = await broker.subscribe("last", handler, queue === undefined ? limits : { ...limits, queue });
      const bodies = Array.from({ length: 8 }, (_one, index) => String(index));
      for (const body of bodies) await broker.publish("last", { body });
      await started.promise;
      return { subscriber, handled, bodies, go };
    };

    test("what has arrived is still handled", TIMEOUT, async () => {
      await using broker = await open();
      const givenUp = givenUpMessages();
      const { subscriber, handled, bodies, go } = await arrived(broker);
      const ended = subscriber.unsubscribe();
      go.resolve();
      await ended;
      expect([handled, givenUp]).toEqual([bodies, []]);
    });

    test("what is not handled by the deadline is given up with an event", TIMEOUT, async () => {
      const broker = await open({ drainTimeoutMs: 300 });
      const givenUp = givenUpMessages();
      const { bodies, go } = await arrived(broker);
      await broker.disconnect();
      go.resolve();
      expect(givenUp.map(({ reason }) => reason)).toEqual(bodies.map(() => "its subscription ended"));
    });
  });

  test("what is not handled by the deadline goes to the queue's other members", TIMEOUT, async () => {
    await using broker = await open();
    const givenUp = givenUpMessages();
    const leaving = await open({ drainTimeoutMs: 300 });
    const [started, go] = [deferred<void>(), deferred<void>()];
    const hold = async () => {
      started.resolve();
      await go.promise;
    };
    await leaving.subscribe("shared", hold, { queue: "shared.workers", concurrency: 1, prefetch: 8 });
    for (let n = 0; n < 8; n += 1) await broker.publish("shared", { body: String(n) });
    await started.promise;
    const handled = new Set<string>();
    await broker.subscribe("shared", (delivery) => void handled.add(delivery.text()), { queue: "shared.workers" });
    await leaving.disconnect();
    go.resolve();
    await until(() => handled.size === 8, { what: "the other member had all" });
    expect(givenUp).toEqual([]);
  });

  test("a message under dlq. whose handler fails is given up with an event: nothing comes again", TIMEOUT, async () => {
    await using broker = await open();
    const givenUp = givenUpMessages();
    const fail = () => {
      throw new Error("no");
    };
    await broker.subscribe("dlq.t", fail);
    await broker.publish("dlq.t", { body: "x" });
    await until(() => givenUp.length > 0, { what: "it was given up" });
    expect(givenUp).toMatchObject([{ topic: "dlq.t", reason: "no" }]);
  });

  test("retries and dead letters are refused", TIMEOUT, async () => {
    await using broker = await open();
    await expect(broker.subscribe("r", () => {}, { maxAttempts: 3 })).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
    });
    await expect(broker.queues.list()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  });
});
