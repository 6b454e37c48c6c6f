import { type Channel, type ChannelModel, type ConsumeMessage, connect } from "amqplib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createBroker } from "../../src/create-broker.ts";
import type { Delivery } from "../../src/delivery.ts";
import { rabbitmq } from "../../src/drivers/rabbitmq/index.ts";
import { silentLogger } from "../../src/logger.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { bytesOf, TRANSCRIPTS } from "../interop/transcripts.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { type RabbitmqEngine, startRabbitmq } from "../support/engines/rabbitmq.ts";

const TIMEOUT = { timeout: 60_000 };

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

  const open = async () => {
    const broker = createBroker(rabbitmq({ url: engine.url }), { wire: "go-micro", logger: silentLogger });
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

  test("retries and dead letters are refused", TIMEOUT, async () => {
    await using broker = await open();
    await expect(broker.subscribe("r", () => {}, { maxAttempts: 3 })).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
    });
    await expect(broker.queues.list()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  });
});
