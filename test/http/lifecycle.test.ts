import { describe, expect, onTestFinished, test } from "vitest";
import { createBroker } from "../../src/create-broker.ts";
import { http } from "../../src/drivers/http/index.ts";
import { BROADCAST_VERSION, SERVICE_NAMES } from "../../src/drivers/http/service-names.ts";
import { BrokerError } from "../../src/errors.ts";
import { deferred } from "../../src/internal/deferred.ts";
import { local } from "../../src/registries/local/index.ts";
import { memory } from "../../src/registries/memory.ts";
import type { Registry } from "../../src/registry.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { bareServer } from "./support/bare-server.ts";
import { openBroker, registryFolder } from "./support/brokers.ts";

const FULL = process.env["TIDINGS_TEST_PROFILE"] === "full";

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_one, index) => String(from + index));
const inOrder = (texts: readonly string[]) => [...texts].sort((a, b) => Number(a) - Number(b));

describe("a broadcast subscriber that leaves", () => {
  test("with messages that it had not started leaves nothing behind: what is published later waits for the next", async () => {
    const folder = await registryFolder();
    const { broker: subscriber } = await openBroker(folder);
    const { broker: publisher } = await openBroker(folder);
    const stream = subscriber.messages("t.x", { prefetch: 8 });
    const known = () => publisher.publish("t.x", {}, { mandatory: true }).catch(() => false);
    await until(known, { what: "the publisher knew it" });
    for (const body of numbers(3)) expect((await publisher.publish("t.x", { body })).state).toBe("accepted");
    await stream[Symbol.asyncIterator]().return?.();
    await publisher.flush({ signal: AbortSignal.timeout(10_000) });
    expect((await publisher.publish("t.x", { body: "3" })).state).toBe("waiting");
    const heard: string[] = [];
    await subscriber.subscribe("t.x", (delivery) => void heard.push(delivery.text()));
    await until(() => heard.length > 0, { what: "the next subscriber got what waited" });
    expect(heard).toEqual(["3"]);
  });

  test.each(["another", "the same"])(
    "while its handler runs wants nothing more: what %s process publishes then waits for the next",
    async (which) => {
      const folder = await registryFolder();
      const gate = deferred<void>();
      const { broker: subscriber } = await openBroker(folder);
      const publisher = which === "another" ? (await openBroker(folder)).broker : subscriber;
      const leaving = await subscriber.subscribe("t.x", () => gate.promise, { drainTimeoutMs: 15_000 });
      await publisher.publish("t.x", { body: "0" });
      const left = leaving.unsubscribe();
      const wanted = () =>
        publisher.publish("t.x", { body: "x" }, { mandatory: true }).then(
          () => false,
          () => true,
        );
      await until(wanted, { what: "it had left" });
      expect((await publisher.publish("t.x", { body: "1" })).state).toBe("waiting");
      await expect(publisher.publish("t.x", { body: "2" }, { mandatory: true })).rejects.toMatchObject({
        code: "ERR_NO_SUBSCRIBERS",
      });
      gate.resolve();
      await left;
      const heard: string[] = [];
      await subscriber.subscribe("t.x", (delivery) => void heard.push(delivery.text()));
      await until(() => heard.length > 0, { what: "the next subscriber got what waited", deadlineMs: 5_000 });
      expect(heard).toEqual(["1"]);
    },
  );

  test("with senders waiting for a place in it leaves them free", async () => {
    const folder = await registryFolder();
    const gate = deferred<void>();
    const { broker: subscriber } = await openBroker(folder);
    const { broker: publisher } = await openBroker(folder, {}, { acceptTimeoutMs: 100 });
    const leaving = await subscriber.subscribe("t.x", () => gate.promise, { concurrency: 1 });
    for (const body of numbers(4)) await publisher.publish("t.x", { body });
    const left = leaving.unsubscribe();
    gate.resolve();
    await left;
    await publisher.flush({ signal: AbortSignal.timeout(10_000) });
    expect((await publisher.publish("t.x", { body: "next" })).state).toBe("waiting");
  });
});

describe("members of a queue", () => {
  test("that come and go under load lose nothing, double nothing, and cost no attempt", async () => {
    const count = 600;
    const folder = await registryFolder();
    const heard: string[] = [];
    const attempts = new Set<number>();
    const { broker: publisher, givenUp } = await openBroker(folder);
    const { broker: stable } = await openBroker(folder);
    const { broker: restless } = await openBroker(folder);
    const join = (broker: typeof stable) =>
      broker.subscribe(
        "t.x",
        async (delivery) => {
          heard.push(delivery.text());
          attempts.add(delivery.attempt);
          await new Promise((resolve) => setImmediate(resolve));
        },
        { queue: "q", concurrency: 2, prefetch: 6 },
      );
    await join(stable);
    const published = Promise.all(numbers(count).map((body) => publisher.publish("t.x", { body })));
    for (let left = 200; heard.length < count && left > 0; left -= 1) await (await join(restless)).unsubscribe();
    await published;
    await publisher.flush({ signal: AbortSignal.timeout(20_000) });
    expect(inOrder(heard)).toEqual(numbers(count));
    expect([...attempts]).toEqual([1]);
    expect(givenUp).toEqual([]);
  });

  test("that all leave leave the queue, which keeps what comes for the next, in order, in each publisher", async () => {
    const folder = await registryFolder();
    const { broker: one } = await openBroker(folder);
    const { broker: two } = await openBroker(folder);
    const subscriber = await one.subscribe("t.x", () => {}, { queue: "q" });
    await subscriber.unsubscribe();
    for (const body of numbers(5)) await one.publish("t.x", { body: `one ${body}` });
    for (const body of numbers(5)) await two.publish("t.x", { body: `two ${body}` });
    expect(await two.queues.list()).toEqual([{ topic: "t.x", queue: "q", members: 0, messages: 10 }]);
    const { broker: three } = await openBroker(folder);
    const heard: string[] = [];
    await three.subscribe("t.x", (delivery) => void heard.push(delivery.text()), { queue: "q", concurrency: 1 });
    await until(() => heard.length === 10, { what: "the next member got them" });
    for (const name of ["one", "two"])
      expect(heard.filter((text) => text.startsWith(name))).toEqual(numbers(5).map((n) => `${name} ${n}`));
  });

  test("see nothing of what waited in their line when the queue was removed", async () => {
    const folder = await registryFolder();
    const gate = deferred<void>();
    const { broker } = await openBroker(folder, {}, { acceptTimeoutMs: 50 });
    const heard: string[] = [];
    await broker.subscribe(
      "t.x",
      (delivery) => {
        heard.push(delivery.text());
        return gate.promise;
      },
      { queue: "q", concurrency: 1 },
    );
    for (const body of ["held", "waiting", "behind"]) await broker.publish("t.x", { body });
    await broker.queues.remove("t.x", "q");
    gate.resolve();
    await broker.publish("t.x", { body: "after" });
    await until(() => heard.includes("after"), { what: "what came after arrived" });
    expect(heard).toEqual(["held", "after"]);
  });
});

describe("a dead letter of a message as large as may be", () => {
  /** One in the outbox of a broker, and another broker, which takes so much, to read it. */
  const failed = async (readerTakes: number) => {
    const folder = await registryFolder();
    const sender = await openBroker(folder, {}, { maxMessageBytes: 10_000 });
    const reader = await openBroker(folder, {}, { maxMessageBytes: readerTakes });
    const fail = () => {
      throw new Error("no");
    };
    await sender.broker.subscribe("t", fail, { queue: "q", maxAttempts: 1 });
    await sender.broker.publish("t", { body: Buffer.alloc(10_000) });
    const isDead = async () => (await sender.broker.deadLetters.list("t")).length === 1;
    await until(isDead, { what: "it is a dead letter" });
    return { sender, reader };
  };

  test("reaches a reader in another process", async () => {
    const { sender, reader } = await failed(10_000);
    const sizes: number[] = [];
    await reader.broker.subscribe("dlq.t", ({ message }) => void sizes.push(message.body.length));
    await until(() => sizes.length > 0, { what: "it was read" });
    await sender.broker.flush({ signal: AbortSignal.timeout(10_000) });
    expect([sizes, sender.errors.map(({ code }) => code)]).toEqual([[10_000], ["ERR_HANDLER_FAILED"]]);
  });

  test("stays as it is where its reader takes less, which is reported", async () => {
    const { sender, reader } = await failed(1_000);
    const read: string[] = [];
    await reader.broker.subscribe("dlq.t", ({ id }) => void read.push(id));
    await until(() => sender.errors.some(({ code }) => code === "ERR_MESSAGE_TOO_LARGE"), { what: "it was reported" });
    await sender.broker.publish("dlq.t", { body: "small" }, { id: "small" });
    await until(() => read.length > 0, { what: "the next was read" });
    const letters = await sender.broker.deadLetters.list("t");
    expect(letters.map(({ queue, reason, body }) => [queue, reason, body.length])).toEqual([["q", "no", 10_000]]);
    expect([read, await sender.broker.deadLetters.redrive("t")]).toEqual([["small"], 1]);
  });
});

describe("a record that goes and comes back under the same id", () => {
  test("of a go-micro subscriber, as when its broker unsubscribes and subscribes again", async () => {
    const folder = await registryFolder();
    const registry = local({ folder });
    const server = await bareServer();
    const service = (topic: string) => ({
      name: SERVICE_NAMES.goMicro,
      version: BROADCAST_VERSION,
      metadata: {},
      endpoints: [],
      nodes: [{ id: "t.x-uuid", address: server.address, metadata: { broker: "http", secure: "false", topic } }],
    });
    const { broker } = await openBroker(folder, { wire: "go-micro" });
    for (let round = 1; round <= 3; round += 1) {
      await registry.register(service("t.x"));
      await until(() => broker.publish("t.x", { body: "x" }, { mandatory: true }).catch(() => false), {
        what: `it was known, round ${round}`,
        deadlineMs: 10_000,
      });
      await registry.deregister(service("t.x"));
      await until(
        () =>
          broker.publish("t.x", { body: "x" }, { mandatory: true }).then(
            () => false,
            () => true,
          ),
        { what: `it was gone, round ${round}` },
      );
    }
    await broker.flush({ signal: AbortSignal.timeout(10_000) });
  });

  test("of a Tidings process whose connection stands: it was there all the time", async () => {
    const registry = memory();
    const { broker: subscriber } = await openBroker(registry);
    const heard: string[] = [];
    await subscriber.subscribe("t.x", (delivery) => void heard.push(delivery.text()), { queue: "q" });
    const { broker: publisher } = await openBroker(registry);
    const [service] = await registry.getService(SERVICE_NAMES.peers);
    const node = service?.nodes.find(({ address }) => address === subscriber.address);
    if (service === undefined || node === undefined) throw new Error("it is not registered");
    await registry.deregister({ ...service, nodes: [node] });
    expect((await publisher.publish("t.x", { body: "1" })).state).toBe("accepted");
    await registry.register({ ...service, nodes: [node] });
    expect((await publisher.publish("t.x", { body: "2" })).state).toBe("accepted");
    await until(() => heard.length === 2, { what: "both arrived" });
    expect(heard).toEqual(["1", "2"]);
  });

  test("of one that said that it left stays away", async () => {
    const registry = memory();
    const { broker: subscriber } = await openBroker(registry);
    await subscriber.subscribe("t.x", () => {});
    const { broker: publisher, errors } = await openBroker(registry);
    const [service] = await registry.getService(SERVICE_NAMES.peers);
    if (service === undefined) throw new Error("it is not registered");
    await subscriber.disconnect();
    await registry.register(service);
    await expect(publisher.publish("t.x", {}, { mandatory: true })).rejects.toMatchObject({
      code: "ERR_NO_SUBSCRIBERS",
    });
    // It is not even tried to reach.
    await publisher.subscribe("t.y", () => {});
    expect(errors).toEqual([]);
  });
});

describe("a registry", () => {
  test("with rubbish in it stops nobody", async () => {
    const registry = memory();
    const server = await bareServer((_head, _body, socket) => {
      socket.write("rubbish\r\n\r\n");
      return undefined;
    });
    const addresses = ["", "nonsense", "127.0.0.1:99999", "::1:80", server.address, "127.0.0.1:1"];
    const shared = { version: BROADCAST_VERSION, metadata: {}, endpoints: [] };
    for (const [index, address] of addresses.entries()) {
      for (const id of [`p${index}`, `P ${index}\u0000`])
        await registry.register({ ...shared, name: SERVICE_NAMES.peers, nodes: [{ id, address, metadata: {} }] });
    }
    for (const [index, pattern] of ["", "a..b", ">.a", "x".repeat(300), "a\u0000"].entries()) {
      const metadata = { "tidings-pattern": pattern, "tidings-queue": "" };
      await registry.register({
        ...shared,
        name: SERVICE_NAMES.queues,
        nodes: [{ id: `q${index}`, address: "", metadata }],
      });
    }
    const { broker, errors } = await openBroker(registry, {}, { acceptTimeoutMs: 100, drainTimeoutMs: 200 });
    const heard: string[] = [];
    await broker.subscribe("t.x", (delivery) => void heard.push(delivery.text()));
    expect((await broker.publish("u.x", { body: "x" })).state).toBe("waiting");
    expect((await broker.publish("t.x", { body: "fine" })).state).toBe("accepted");
    await until(() => heard.length === 1, { what: "the message arrived" });
    expect(errors.every((error) => error instanceof BrokerError)).toBe(true);
    await expect(broker.disconnect()).rejects.toMatchObject({ code: "ERR_UNDELIVERED", count: 1 });
  });

  function failing(): { registry: Registry; fail: boolean } {
    const real = memory();
    const state = { registry: real, fail: false };
    const down = () => {
      if (state.fail) throw new BrokerError("ERR_REGISTRY", "The registry is down.");
    };
    state.registry = {
      ...real,
      async register(service, options) {
        down();
        await real.register(service, options);
      },
      async getService(name) {
        down();
        return real.getService(name);
      },
    };
    return state;
  }

  test("that fails makes subscribe fail, and leaves nothing of it behind", async () => {
    const state = failing();
    const { broker } = await openBroker(state.registry);
    state.fail = true;
    await expect(broker.subscribe("t.x", () => {})).rejects.toMatchObject({ code: "ERR_REGISTRY" });
    await expect(broker.subscribe("t.x", () => {}, { queue: "q" })).rejects.toMatchObject({ code: "ERR_REGISTRY" });
    state.fail = false;
    await expect(broker.publish("t.y", {}, { mandatory: true })).rejects.toMatchObject({ code: "ERR_NO_SUBSCRIBERS" });
    const heard: string[] = [];
    await broker.subscribe("t.x", (delivery) => void heard.push(delivery.text()), { queue: "q" });
    expect((await broker.publish("t.x", { body: "x" })).state).toBe("accepted");
    await until(() => heard.length === 1, { what: "the message arrived" });
    await broker.disconnect();
  });

  test("that fails makes connect fail, and gives the port back", async () => {
    const state = failing();
    const { broker: first } = await openBroker(state.registry);
    const { address } = first;
    await first.disconnect();
    state.fail = true;
    const broker = createBroker(http({ registry: state.registry, address }), { connectTimeoutMs: 300 });
    await expect(broker.connect()).rejects.toMatchObject({
      code: expect.stringMatching(/ERR_REGISTRY|ERR_CONNECT_FAILED/),
    });
    state.fail = false;
    await broker.connect();
    expect(broker.address).toBe(address);
    await broker.disconnect();
  });
});

test("a port in use is told at once", async () => {
  const { broker } = await openBroker(memory());
  const second = createBroker(http({ registry: memory(), address: broker.address }));
  const startedAt = performance.now();
  await expect(second.connect()).rejects.toMatchObject({ code: "ERR_ADDRESS_IN_USE" });
  expect(performance.now() - startedAt).toBeLessThan(3_000);
});

test("a flush that waits when the broker disconnects ends", async () => {
  const { broker } = await openBroker(memory(), {}, { drainTimeoutMs: 100 });
  await broker.publish("t.unwanted", {});
  const flushed = broker.flush().then(
    () => "done",
    (error: BrokerError) => error.code,
  );
  await expect(broker.disconnect()).rejects.toMatchObject({ code: "ERR_UNDELIVERED", count: 1 });
  const outcome = await Promise.race([flushed, until(() => false, { what: "the flush ended", deadlineMs: 2_000 })]);
  expect(outcome).not.toBe("done");
});

test("an IPv6 address works like any other", async () => {
  const registry = memory();
  const { broker: subscriber } = await openBroker(registry, { address: "[::1]:0" });
  expect(subscriber.address).toMatch(/^\[::1\]:\d+$/);
  const heard: string[] = [];
  await subscriber.subscribe("t.x", (delivery) => void heard.push(delivery.text()));
  const { broker } = await openBroker(registry);
  await broker.publish("t.x", { body: "hello" });
  await until(() => heard.length === 1, { what: "the message arrived" });
});

test("a message that waits long for its turn within the prefetch is not taken for lost", {
  timeout: 60_000,
}, async () => {
  // The sender's patience begins at 15 s; the full profile goes beyond it.
  const handlerMs = FULL ? 900 : 20;
  const folder = await registryFolder();
  const { broker: subscriber } = await openBroker(folder);
  const attempts: number[] = [];
  const slow = async (delivery: { attempt: number }) => {
    attempts.push(delivery.attempt);
    await new Promise((resolve) => setTimeout(resolve, handlerMs));
  };
  await subscriber.subscribe("t.x", slow, { concurrency: 1, prefetch: 20, ackTimeoutMs: 1_000 });
  const { broker } = await openBroker(folder);
  await Promise.all(numbers(20).map((body) => broker.publish("t.x", { body })));
  await broker.flush({ signal: AbortSignal.timeout(50_000) });
  expect(attempts).toEqual(numbers(20).map(() => 1));
});

test("an endless time limit of a subscription is no trouble for its senders", async () => {
  const folder = await registryFolder();
  const { broker: subscriber } = await openBroker(folder);
  const heard: string[] = [];
  await subscriber.subscribe("t.x", (delivery) => void heard.push(delivery.text()), {
    ackTimeoutMs: Number.POSITIVE_INFINITY,
    maxAttempts: Number.POSITIVE_INFINITY,
  });
  const { broker, errors } = await openBroker(folder);
  expect((await broker.publish("t.x", { body: "hello" })).state).toBe("accepted");
  await broker.flush({ signal: AbortSignal.timeout(10_000) });
  expect(heard).toEqual(["hello"]);
  expect(errors).toEqual([]);
});

test("a process that has many subscriptions in many brokers warns of no leak", async () => {
  const warnings: string[] = [];
  const note = (warning: Error) => void warnings.push(`${warning.name}: ${warning.message}`);
  process.on("warning", note);
  onTestFinished(() => void process.off("warning", note));
  const registry = memory();
  const brokers = await Promise.all(Array.from({ length: 12 }, () => openBroker(registry)));
  let heard = 0;
  await Promise.all(
    brokers.map(({ broker }) =>
      broker.subscribe("t.x", () => {
        heard += 1;
      }),
    ),
  );
  await Promise.all(brokers.map(({ broker }) => broker.publish("t.x", {})));
  await until(() => heard === 144, { what: "all heard all" });
  await Promise.all(brokers.map(({ broker }) => broker.disconnect()));
  expect(warnings).toEqual([]);
});
