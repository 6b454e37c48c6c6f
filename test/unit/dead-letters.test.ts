import { afterEach, describe, expect, test } from "vitest";
import type { Broker } from "../../src/broker.ts";
import { createBroker } from "../../src/create-broker.ts";
import type { Delivery } from "../../src/delivery.ts";
import type { Driver } from "../../src/driver.ts";
import { http } from "../../src/drivers/http/index.ts";
import { memory } from "../../src/drivers/memory/index.ts";
import { silentLogger } from "../../src/logger.ts";
import { memory as memoryRegistry } from "../../src/registries/memory.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { wrapDriver } from "../../src/testing/conformance/wrap-driver.ts";

const open: Broker[] = [];

afterEach(async () => {
  // What is left in an outbox at the end is counted: these tests leave dead letters on purpose.
  await Promise.allSettled(open.splice(0).map((broker) => broker.disconnect()));
});

async function connect(driver: Driver): Promise<Broker> {
  const broker = createBroker(driver, { logger: silentLogger, onError: () => {} });
  open.push(broker);
  await broker.connect();
  return broker;
}

/** Makes dead letters of one queue, which lives on without a member. */
async function fail(broker: Broker, topic: string, count: number): Promise<void> {
  const subscriber = await broker.subscribe(topic, (delivery) => delivery.reject("no"), { queue: "q", autoAck: false });
  await broker.publishBatch(
    topic,
    Array.from({ length: count }, (_, n) => ({ body: String(n) })),
  );
  await until(async () => (await broker.deadLetters.list(topic)).length === count, { what: `${count} dead letters` });
  await subscriber.unsubscribe();
}

describe("the dead-letter topics", () => {
  test("of the memory broker are listed by name, with how many wait in each", async () => {
    const broker = await connect(memory());
    expect(await broker.deadLetters.topics()).toEqual([]);
    await fail(broker, "b", 2);
    await fail(broker, "a", 1);
    expect(await broker.deadLetters.topics()).toEqual([
      { topic: "dlq.a", messages: 1 },
      { topic: "dlq.b", messages: 2 },
    ]);
    await broker.deadLetters.drop("a");
    expect(await broker.deadLetters.topics()).toEqual([{ topic: "dlq.b", messages: 2 }]);
  });

  test("of the HTTP broker are those of all peers, added up", async () => {
    const registry = memoryRegistry();
    const [one, other] = [await connect(http({ registry })), await connect(http({ registry }))];
    await fail(one, "a", 1);
    await fail(other, "b", 1);
    const third = await connect(http({ registry }));
    await one.publish("b", { body: "x" });
    const reader = await third.subscribe("b", (delivery) => delivery.reject("no"), { queue: "q", autoAck: false });
    await until(async () => (await third.deadLetters.list("b")).length === 2, { what: "two dead letters" });
    await reader.unsubscribe();
    expect(await third.deadLetters.topics()).toEqual([
      { topic: "dlq.a", messages: 1 },
      { topic: "dlq.b", messages: 2 },
    ]);
  });

  test("are refused where the engine cannot tell", async () => {
    const driver = memory();
    const without = wrapDriver(driver, {
      get deadLetters() {
        const { list, redrive, drop } = driver.deadLetters ?? expect.fail("the memory broker keeps dead letters");
        return { list, redrive, drop };
      },
    });
    const broker = await connect(without);
    await expect(broker.deadLetters.topics()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  });
});

describe.each(["redrive", "drop"] as const)("%s", (verb) => {
  test("tells how far it is", async () => {
    const broker = await connect(memory());
    await fail(broker, "t", 600);
    const told: number[] = [];
    expect(await broker.deadLetters[verb]("t", { onProgress: (count) => told.push(count) })).toBe(600);
    expect(told).toEqual([256, 512, 600]);
  });

  test("stops where it is told to, and leaves the rest", async () => {
    const broker = await connect(memory());
    await fail(broker, "t", 600);
    const stop = new AbortController();
    const reason = new Error("enough");
    const call = broker.deadLetters[verb]("t", { signal: stop.signal, onProgress: () => stop.abort(reason) });
    await expect(call).rejects.toBe(reason);
    await until(async () => (await broker.deadLetters.list("t")).length === 600 - 256, { what: "the rest stayed" });
    await expect(broker.deadLetters[verb]("t", { signal: stop.signal })).rejects.toBe(reason);
  });
});

test("a redrive sends back what was there at the call, however soon it fails again", async () => {
  const broker = await connect(memory());
  let starts = 0;
  await broker.subscribe(
    "t",
    () => {
      starts += 1;
      throw new Error("broken for good");
    },
    { queue: "q", maxAttempts: 1 },
  );
  await broker.publishBatch("t", [{ body: "1" }, { body: "2" }]);
  await until(async () => (await broker.deadLetters.list("t")).length === 2, { what: "two dead letters" });
  expect(await broker.deadLetters.redrive("t")).toBe(2);
  await until(async () => (await broker.deadLetters.list("t")).length === 2, { what: "two dead letters again" });
  expect(starts).toBe(4);
});

test("only strings are ids of dead letters", async () => {
  const broker = createBroker(memory());
  open.push(broker);
  await broker.connect();
  for (const id of [7, [7], null, ["a", undefined]] as never[])
    await expect(broker.deadLetters.drop("t", { id })).rejects.toMatchObject({ code: "ERR_INVALID_OPTION" });
});

test.each<[string, () => Driver]>([
  ["memory", () => memory()],
  ["http", () => http({ registry: memoryRegistry() })],
])(
  "a dead letter that was redriven is counted like any other message where it is given up (%s)",
  async (_name, make) => {
    const broker = createBroker(make(), { logger: silentLogger, onError: () => {}, drainTimeoutMs: 100 });
    open.push(broker);
    await broker.connect();
    let starts = 0;
    const handler = async ({ signal }: Delivery) => {
      starts += 1;
      if (starts === 1) throw new Error("no");
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    };
    await broker.subscribe("t", handler, { maxAttempts: 1 });
    await broker.publish("t", { body: "x" });
    await until(async () => (await broker.deadLetters.list("t")).length === 1, { what: "it is a dead letter" });
    await broker.deadLetters.redrive("t");
    await until(() => starts === 2, { what: "it is handled again" });
    await expect(broker.disconnect()).rejects.toMatchObject({ code: "ERR_UNDELIVERED", count: 1 });
  },
);

describe("what a handler throws that is no ordinary error", () => {
  const thrown: readonly (readonly [string, unknown])[] = [
    ["an object without a prototype", Object.create(null)],
    ["an error whose message is an object", Object.assign(new Error("x"), { message: { code: 7 } })],
    ["an error whose message is a number", Object.assign(new Error("x"), { message: 42 })],
  ];
  for (const [what, error] of thrown) {
    test.each(["at once", "later"])(`${what}, %s, fails its message, and no other`, async (when) => {
      const broker = await connect(memory());
      const handled: string[] = [];
      const handle = (delivery: Delivery) => {
        if (delivery.text() === "bad") throw error;
        handled.push(delivery.text());
      };
      const handler = when === "at once" ? handle : async (delivery: Delivery) => handle(delivery);
      await broker.subscribe("t", handler, { queue: "q", maxAttempts: 1 });
      await broker.publish("t", { body: "bad" });
      await broker.publish("t", { body: "good" });
      await until(() => handled.length === 1, { what: "the next is handled" });
      const letters = await broker.deadLetters.list("t");
      expect(letters.map(({ body }) => Buffer.from(body).toString())).toEqual(["bad"]);
      expect(letters[0]?.reason).toMatch(/^(\[object Object\]|42)$/);
    });
  }
});
