import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Broker } from "../../src/broker.ts";
import { createBroker } from "../../src/create-broker.ts";
import type { Delivery } from "../../src/delivery.ts";
import type { BrokerError } from "../../src/errors.ts";
import { silentLogger } from "../../src/logger.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { type NatsEngine, startNats } from "../support/engines/nats.ts";

const TIMEOUT = { timeout: 60_000 };

// What go-micro v6 published: a message of a broker, and one of a service.
const OF_A_BROKER = '{"Header":{"K":"v"},"Body":"aGk="}';
const OF_A_SERVICE =
  '{"Header":{"Content-Type":"application/json","Foo":"bar","Micro-ID":"437ec7e3","Micro-Topic":"ev.topic","x-request-id":"r1"},"Body":"eyJpZCI6ImFcdTAwM2NiIn0K"}';

describeWithEngine("nats", 'core NATS with wire "go-micro"', () => {
  const cleanups: (() => unknown)[] = [];
  const errors: BrokerError[] = [];
  let engine: NatsEngine;
  let go: NatsConnection;

  beforeAll(async () => {
    engine = await startNats({ jetstream: false });
    go = await connect({ servers: `${engine.host}:${engine.port}` });
  }, 60_000);
  afterAll(async () => {
    await go.close();
    await engine.stop();
  });
  afterEach(async () => {
    errors.length = 0;
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  const open = async (): Promise<Broker> => {
    const broker = createBroker(`nats+core://${engine.host}:${engine.port}`, {
      wire: "go-micro",
      logger: silentLogger,
      onError: (error) => errors.push(error),
    });
    cleanups.push(() => broker.disconnect());
    await broker.connect();
    return broker;
  };

  test("what go-micro published arrives, on the topic that is the subject", TIMEOUT, async () => {
    const broker = await open();
    const received: Delivery[] = [];
    await broker.subscribe("ev.*", (delivery) => void received.push(delivery));
    go.publish("ev.a", OF_A_BROKER);
    go.publish("ev.topic", OF_A_SERVICE);
    await until(() => received.length === 2, { what: "both arrived" });
    const [first, second] = received as [Delivery, Delivery];
    expect([first.topic, first.text(), { ...first.message.header }]).toEqual(["ev.a", "hi", { K: "v" }]);
    expect([second.topic, second.id, second.text()]).toEqual(["ev.topic", "437ec7e3", '{"id":"a\\u003cb"}\n']);
    expect(second.message.header["x-request-id"]).toBe("r1");
  });

  test("what we publish is go-micro's envelope, without native headers", TIMEOUT, async () => {
    const broker = await open();
    const taken: [string, string, unknown][] = [];
    go.subscribe(">", {
      callback: (_error, message) => void taken.push([message.subject, message.string(), message.headers]),
    });
    await go.flush();
    await broker.publish("a.b", { header: { K: "v" }, body: "hi" }, { key: "k", id: "i" });
    await broker.publish("ünï.c", { body: Buffer.from([0, 255]) });
    await until(() => taken.length === 2, { what: "both arrived" });
    expect(taken).toEqual([
      ["a.b", OF_A_BROKER, undefined],
      ["ünï.c", '{"Header":{},"Body":"AP8="}', undefined],
    ]);
  });

  test("a queue is go-micro's queue group", TIMEOUT, async () => {
    const broker = await open();
    const ours: string[] = [];
    const theirs: string[] = [];
    await broker.subscribe("q.t", (delivery) => void ours.push(delivery.text()), { queue: "workers" });
    go.subscribe("q.t", { queue: "workers", callback: (_error, message) => void theirs.push(message.string()) });
    await go.flush();
    for (let n = 0; n < 200; n += 1) await broker.publish("q.t", { body: String(n) });
    await until(() => ours.length + theirs.length >= 200, { what: "all arrived" });
    expect([ours.length + theirs.length, ours.length > 0, theirs.length > 0]).toEqual([200, true, true]);
  });

  test("what is no envelope is given up with the reason, and the next one arrives", TIMEOUT, async () => {
    const broker = await open();
    const heard: string[] = [];
    await broker.subscribe("ev.x", (delivery) => void heard.push(delivery.text()));
    for (const payload of ["", "hi", "null", "[]", '{"Body":"!"}', '{"Header":{"a":1}}']) go.publish("ev.x", payload);
    go.publish("ev.x", OF_A_BROKER);
    await until(() => heard.length === 1, { what: "the good one arrived" });
    expect(heard).toEqual(["hi"]);
  });

  test("subjects that are no topics, and dead letters, do not disturb a pattern", TIMEOUT, async () => {
    const broker = await open();
    const heard: string[] = [];
    await broker.subscribe(">", (delivery) => void heard.push(delivery.topic));
    for (const subject of [`long.${"x".repeat(300)}`, "dlq.a", "a"]) go.publish(subject, OF_A_BROKER);
    await until(() => heard.length === 1, { what: "the topic arrived" });
    expect(heard).toEqual(["a"]);
  });

  test("a topic that is no subject of NATS, and a message too large, are typed errors", TIMEOUT, async () => {
    const broker = await open();
    await expect(broker.publish("a b", { body: "" })).rejects.toMatchObject({ code: "ERR_INVALID_TOPIC" });
    await expect(broker.subscribe("a\tb", () => {})).rejects.toMatchObject({ code: "ERR_INVALID_TOPIC" });
    const body = new Uint8Array(1_000_000);
    await expect(broker.publish("a", { body })).rejects.toMatchObject({ code: "ERR_MESSAGE_TOO_LARGE" });
  });
});
