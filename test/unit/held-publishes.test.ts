import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import type { BrokerOptions } from "../../src/broker-options.ts";
import { BrokerError, createBroker, silentLogger } from "../../src/index.ts";
import { ScriptedDriver } from "./support/scripted-driver.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const text = ({ body }: { body: Uint8Array }) => Buffer.from(body).toString();

/** A broker on a scripted driver whose connection is down. */
async function disconnected(options: BrokerOptions) {
  const driver = new ScriptedDriver();
  const broker = createBroker(driver, { logger: silentLogger, onError: () => {}, drainTimeoutMs: 10, ...options });
  await broker.connect();
  driver.context?.onDown(new BrokerError("ERR_CONNECTION_LOST", "cut"));
  return { driver, broker };
}

describe("publishes held while the connection is down", () => {
  test("keep their order where a small one would fit before a large one that waits for room", async () => {
    const { driver, broker } = await disconnected({ bufferBytes: 10, whenFull: "wait" });
    const held = ["12345678", "abcde", "x"].map((body) => broker.publish("t", { body }));
    driver.context?.onUp();
    await Promise.all(held);
    expect(driver.published.map(text)).toEqual(["12345678", "abcde", "x"]);
    await broker.disconnect();
  });

  test("give their room back when they are aborted", async () => {
    const { driver, broker } = await disconnected({ bufferMessages: 1, bufferBytes: 4 });
    const abort = new AbortController();
    const aborted = broker.publish("t", { body: "gone" }, { signal: abort.signal });
    abort.abort(new Error("no longer"));
    await expect(aborted).rejects.toThrow("no longer");
    const next = broker.publish("t", { body: "next" });
    driver.context?.onUp();
    await next;
    expect(driver.published.map(text)).toEqual(["next"]);
    await broker.disconnect();
  });

  test("leave no listener on the signal when the buffer refuses them", async () => {
    const { broker } = await disconnected({ bufferMessages: 0 });
    const { signal } = new AbortController();
    await expect(broker.publish("t", {}, { signal })).rejects.toThrow(code("ERR_BACKLOG_FULL"));
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    await broker.disconnect();
  });

  test("fail with a typed error when the driver throws on them, and its onUp does not", async () => {
    const { driver, broker } = await disconnected({});
    const failing = expect(broker.publish("t")).rejects.toThrow(code("ERR_DRIVER"));
    driver.onPublish = () => {
      throw new Error("bug");
    };
    expect(() => driver.context?.onUp()).not.toThrow();
    await failing;
    await broker.disconnect();
  });
});

describe("options of publish", () => {
  test("an unknown one is named, and the known ones are listed", async () => {
    await using broker = createBroker(new ScriptedDriver());
    await broker.connect();
    const publishing = broker.publish("t", {}, { key: "a", headers: {} } as never);
    await expect(publishing).rejects.toThrow(/no option "headers".*key, id, mandatory, signal/);
  });

  test("a value of the wrong type is refused", async () => {
    await using broker = createBroker(new ScriptedDriver());
    await broker.connect();
    await expect(broker.publish("t", {}, { mandatory: "no" } as never)).rejects.toThrow(code("ERR_INVALID_OPTION"));
    await expect(broker.publish("t", {}, { signal: {} } as never)).rejects.toThrow(code("ERR_INVALID_OPTION"));
  });

  test("one bad message of a batch fails alone, whatever it is", async () => {
    await using broker = createBroker(new ScriptedDriver());
    await broker.connect();
    const answers = await broker.publishBatch("t", [{ body: "1" }, null as never]);
    expect(answers).toEqual([expect.objectContaining({ state: "stored" }), code("ERR_INVALID_MESSAGE")]);
  });
});

test("a publish that is aborted while it waits for room is not delivered later", async () => {
  const broker = createBroker("memory:", { backlogBytes: 10, whenFull: "wait", logger: silentLogger });
  await broker.connect();
  await broker.createQueue("t", "q");
  await broker.publish("t", { body: "kept" });
  const abort = new AbortController();
  const aborted = broker.publish("t", { body: "too large" }, { signal: abort.signal });
  const smaller = broker.publish("t", { body: "small" });
  abort.abort(new Error("no longer"));
  await expect(aborted).rejects.toThrow("no longer");
  expect(await smaller).toMatchObject({ state: "waiting" });
  const handled: string[] = [];
  await broker.subscribe("t", (delivery) => void handled.push(delivery.text()), { queue: "q" });
  await broker.flush();
  expect(handled).toEqual(["kept", "small"]);
  await broker.disconnect();
});

test("a publish that waits for room in memory that others share fails when its broker disconnects", async () => {
  const options: BrokerOptions = { backlogMessages: 1, whenFull: "wait", drainTimeoutMs: 10, logger: silentLogger };
  const [leaving, staying] = [createBroker("memory:shared", options), createBroker("memory:shared", options)];
  await Promise.all([leaving.connect(), staying.connect()]);
  await staying.createQueue("t", "q");
  await leaving.publish("t", { body: "kept" });
  const waiting = leaving.publish("t", { body: "waits" }).catch((error: unknown) => error);
  const others = staying.publish("t", { body: "another's" });
  await leaving.disconnect();
  expect(await waiting).toMatchObject({ code: "ERR_BACKLOG_FULL" });
  const handled: string[] = [];
  await staying.subscribe("t", (delivery) => void handled.push(delivery.text()), { queue: "q" });
  expect(await others).toMatchObject({ state: "accepted" });
  await staying.flush();
  expect(handled).toEqual(["kept", "another's"]);
  await staying.disconnect();
});
