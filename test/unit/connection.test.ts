import { describe, expect, test, vi } from "vitest";
import { createBroker } from "../../src/create-broker.ts";
import type { Delivery } from "../../src/delivery.ts";
import { BrokerError } from "../../src/errors.ts";
import { deferred } from "../../src/internal/deferred.ts";
import { silentLogger } from "../../src/logger.ts";
import { ScriptedDelivery, ScriptedDriver } from "./support/scripted-driver.ts";

const quiet = { logger: silentLogger, reconnect: { minDelayMs: 1, maxDelayMs: 2 } };
const unreachable = () => new BrokerError("ERR_CONNECT_FAILED", "refused", { driver: "scripted" });
const code = (value: string) => expect.objectContaining({ code: value });

describe("connecting", () => {
  test("an unreachable server is tried again; bad credentials fail at once", async () => {
    const driver = new ScriptedDriver();
    driver.onConnect = (attempt) => {
      if (attempt < 4) throw unreachable();
    };
    await using broker = createBroker(driver, quiet);
    await broker.connect();
    expect([driver.connects, broker.status, broker.native, broker.address]).toEqual([
      4,
      "connected",
      "the client",
      "scripted:1",
    ]);

    const strict = new ScriptedDriver();
    strict.onConnect = () => {
      throw new BrokerError("ERR_AUTHENTICATION", "wrong password");
    };
    const refused = createBroker(strict, quiet);
    await expect(refused.connect()).rejects.toThrow(code("ERR_AUTHENTICATION"));
    expect([strict.connects, refused.status, refused.lastError?.code]).toEqual([1, "closed", "ERR_AUTHENTICATION"]);
  });

  test("gives up after maxAttempts, or after connectTimeoutMs with the last error in it", async () => {
    const driver = new ScriptedDriver();
    driver.onConnect = () => {
      throw unreachable();
    };
    await expect(
      createBroker(driver, { ...quiet, reconnect: { minDelayMs: 1, maxAttempts: 3 } }).connect(),
    ).rejects.toThrow(code("ERR_CONNECT_FAILED"));
    expect(driver.connects).toBe(3);
    const late = createBroker(driver, { ...quiet, connectTimeoutMs: 30 });
    await expect(late.connect()).rejects.toThrow(/longer than 30 ms: refused/);
    const silent = new ScriptedDriver();
    silent.onConnect = (_attempt, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    await expect(createBroker(silent, { ...quiet, connectTimeoutMs: 30 }).connect()).rejects.toThrow(
      code("ERR_CONNECT_FAILED"),
    );
  });

  test("a signal stops it with its reason, and the broker can be connected later", async () => {
    const driver = new ScriptedDriver();
    driver.onConnect = (attempt) => {
      if (attempt === 1) throw unreachable();
    };
    await using broker = createBroker(driver, { ...quiet, reconnect: { minDelayMs: 60_000 } });
    const abort = new AbortController();
    const connecting = broker.connect({ signal: abort.signal });
    await vi.waitFor(() => expect(driver.connects).toBe(1));
    abort.abort(new Error("enough"));
    await expect(connecting).rejects.toThrow("enough");
    await expect(broker.connect({ signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
    await broker.connect();
    expect(broker.status).toBe("connected");
  });

  test("concurrent and repeated connects are one; disconnecting stops one that is under way", async () => {
    const driver = new ScriptedDriver();
    const broker = createBroker(driver, quiet);
    await Promise.all([broker.connect(), broker.connect()]);
    await broker.connect();
    expect(driver.connects).toBe(1);
    await Promise.all([broker.disconnect(), broker.disconnect()]);
    await broker.disconnect();
    expect(broker.status).toBe("closed");
    driver.onConnect = () => {
      throw unreachable();
    };
    const connecting = createBroker(driver, { ...quiet, reconnect: { minDelayMs: 60_000 } });
    const result = connecting.connect().catch((error: unknown) => error);
    await vi.waitFor(() => expect(driver.connects).toBe(2));
    await connecting.disconnect();
    expect(await result).toMatchObject({ code: "ERR_NOT_CONNECTED" });
    expect(connecting.status).toBe("closed");
  });

  test("what needs a connection says so", async () => {
    const broker = createBroker(new ScriptedDriver(), quiet);
    expect(broker.status).toBe("idle");
    expect(() => broker.capabilities).toThrow(code("ERR_NOT_CONNECTED"));
    expect(() => broker.native).toThrow(code("ERR_NOT_CONNECTED"));
    const calls = [
      () => broker.publish("t"),
      () => broker.subscribe("t", () => {}),
      () => broker.publishBatch("t", []),
      () => broker.createQueue("t", "q"),
      () => broker.queues.list(),
      () => broker.deadLetters.list("t"),
      () => broker.flush(),
      () => broker.messages("t").next(),
    ];
    for (const call of calls) await expect(call()).rejects.toThrow(code("ERR_NOT_CONNECTED"));
    await broker.disconnect();
  });
});

describe("while the connection is down", () => {
  const lost = () => new BrokerError("ERR_CONNECTION_LOST", "cut");

  test("publishes wait in order within the bounds, and go out when it is back", async () => {
    const errors: BrokerError[] = [];
    const driver = new ScriptedDriver();
    await using broker = createBroker(driver, { ...quiet, bufferMessages: 2, onError: (error) => errors.push(error) });
    await broker.connect();
    driver.context?.onDown(lost());
    expect([broker.status, broker.lastError?.code]).toEqual(["reconnecting", "ERR_CONNECTION_LOST"]);
    const held = [broker.publish("t", { body: "1" }), broker.publish("t", { body: "2" })];
    await expect(broker.publish("t", { body: "3" })).rejects.toThrow(code("ERR_BACKLOG_FULL"));
    expect(driver.published).toHaveLength(0);
    driver.context?.onUp();
    expect((await Promise.all(held)).map(({ state }) => state)).toEqual(["stored", "stored"]);
    expect(driver.published.map(({ body }) => Buffer.from(body).toString())).toEqual(["1", "2"]);
    expect([broker.status, errors.map((error) => error.code)]).toEqual(["connected", ["ERR_CONNECTION_LOST"]]);
  });

  test("bytes are bounded too, and whenFull: wait keeps the rest behind", async () => {
    const driver = new ScriptedDriver();
    await using broker = createBroker(driver, { ...quiet, bufferBytes: 4, whenFull: "wait" });
    await broker.connect();
    driver.context?.onDown(lost());
    const held = ["12", "34", "56"].map((body) => broker.publish("t", { body }));
    driver.context?.onUp();
    await Promise.all(held);
    expect(driver.published.map(({ body }) => Buffer.from(body).toString())).toEqual(["12", "34", "56"]);
  });

  test("an aborted publish leaves the buffer; disconnecting fails the rest", async () => {
    const driver = new ScriptedDriver();
    const broker = createBroker(driver, { ...quiet, drainTimeoutMs: 10 });
    await broker.connect();
    driver.context?.onDown(lost());
    const abort = new AbortController();
    const aborted = broker.publish("t", { body: "aborted" }, { signal: abort.signal });
    const rest = broker.publish("t", { body: "rest" });
    abort.abort(new Error("no longer"));
    await expect(aborted).rejects.toThrow("no longer");
    const failing = expect(rest).rejects.toThrow(code("ERR_NOT_CONNECTED"));
    await broker.disconnect();
    await failing;
    expect(driver.published).toHaveLength(0);
  });

  test("a driver that gives up closes the broker", async () => {
    const driver = new ScriptedDriver();
    const broker = createBroker(driver, quiet);
    await broker.connect();
    driver.context?.onDown(lost());
    const held = expect(broker.publish("t")).rejects.toThrow(code("ERR_NOT_CONNECTED"));
    driver.context?.onClosed(new BrokerError("ERR_CONNECTION_LOST", "gave up"));
    await held;
    expect([broker.status, broker.lastError?.message]).toEqual(["closed", "gave up"]);
    await expect(broker.publish("t")).rejects.toThrow(code("ERR_NOT_CONNECTED"));
  });

  test("a dead letter of a handler that outlives the connection fails, and reaches no driver that is closed", async () => {
    const errors: BrokerError[] = [];
    const driver = new ScriptedDriver({ deadLetterMove: "publish" });
    const broker = createBroker(driver, { ...quiet, onError: (error) => errors.push(error) });
    await broker.connect();
    const gate = deferred<void>();
    let rejected: Promise<void> | undefined;
    const handler = async (delivery: Delivery) => {
      await gate.promise;
      rejected = delivery.reject("late");
    };
    await broker.subscribe("t", handler, { autoAck: false });
    const delivery = new ScriptedDelivery({ id: "1" });
    driver.requests[0]?.deliver(delivery);
    driver.context?.onDown(lost());
    driver.context?.onClosed(new BrokerError("ERR_CONNECTION_LOST", "gave up"));
    gate.resolve();
    await vi.waitFor(() => expect(rejected).toBeDefined());
    // It was not written, and so its message stays.
    await rejected;
    expect(delivery.outcomes).toMatchObject([{ kind: "retry" }]);
    expect(errors.map((error) => error.code)).toContain("ERR_DEAD_LETTER");
    expect(driver.published).toHaveLength(0);
  });
});

describe("publishing", () => {
  test("batches what one turn publishes, keeps ids, and copies the body at the call", async () => {
    const driver = new ScriptedDriver();
    const batches = vi.spyOn(driver, "publish");
    await using broker = createBroker(driver, quiet);
    await broker.connect();
    const body = Buffer.from("before");
    const sent = [broker.publish("t", { body }, { id: "mine", key: "k" }), broker.publish("t", { body: "2" })];
    body.write("after!");
    const [first] = await Promise.all(sent);
    expect(first).toEqual({ id: "mine", state: "stored" });
    expect(batches).toHaveBeenCalledTimes(1);
    expect(driver.published[0]).toMatchObject({ id: "mine", key: "k", bytes: 6 });
    expect(Buffer.from(driver.published[0]?.body ?? []).toString()).toBe("before");
  });

  test.each([
    [{ header: { a: 1 } }, "ERR_INVALID_MESSAGE"],
    [{ header: [] }, "ERR_INVALID_MESSAGE"],
    [{ header: { "": "x" } }, "ERR_INVALID_MESSAGE"],
    [{ header: { a: "\ud800" } }, "ERR_INVALID_MESSAGE"],
    [{ body: { an: "object" } }, "ERR_INVALID_MESSAGE"],
    [{ body: null }, "ERR_INVALID_MESSAGE"],
    [null, "ERR_INVALID_MESSAGE"],
    [{ body: "x".repeat(65) }, "ERR_MESSAGE_TOO_LARGE"],
    [{ header: { name: "x".repeat(60) }, body: "x" }, "ERR_MESSAGE_TOO_LARGE"],
  ])("the message %j is %s", async (message, expected) => {
    await using broker = createBroker(new ScriptedDriver(), { ...quiet, maxMessageBytes: 64 });
    await broker.connect();
    await expect(broker.publish("t", message as never)).rejects.toThrow(code(expected));
    await expect(broker.publish("t", { body: "x".repeat(64) })).resolves.toBeDefined();
  });

  test.each([
    [{ id: "" }, "ERR_INVALID_MESSAGE"],
    [{ id: "x".repeat(257) }, "ERR_INVALID_MESSAGE"],
    [{ key: 7 }, "ERR_INVALID_MESSAGE"],
    [{ priority: 1 }, "ERR_INVALID_OPTION"],
  ])("the options %j are %s", async (options, expected) => {
    await using broker = createBroker(new ScriptedDriver(), quiet);
    await broker.connect();
    await expect(broker.publish("t", {}, options as never)).rejects.toThrow(code(expected));
  });

  test("a batch answers for each message, in order", async () => {
    const driver = new ScriptedDriver();
    driver.onPublish = (publication) =>
      publication.id === "2"
        ? publication.fail(new BrokerError("ERR_BACKLOG_FULL", "full"))
        : publication.confirm("stored");
    await using broker = createBroker(driver, quiet);
    await broker.connect();
    const answers = await broker.publishBatch("t", [
      { id: "1" },
      { id: "2" },
      { header: { bad: 3 } as never },
      { id: "4" },
    ]);
    expect(answers).toMatchObject([
      { id: "1" },
      { code: "ERR_BACKLOG_FULL" },
      { code: "ERR_INVALID_MESSAGE" },
      { id: "4" },
    ]);
  });

  test("mandatory is refused where the engine cannot tell", async () => {
    await using broker = createBroker(new ScriptedDriver({ mandatory: false }), quiet);
    await broker.connect();
    await expect(broker.publish("t", {}, { mandatory: true })).rejects.toThrow(code("ERR_UNSUPPORTED"));
  });

  test("a driver that throws fails the batch with a typed error", async () => {
    const driver = new ScriptedDriver();
    driver.onPublish = () => {
      throw new TypeError("broken");
    };
    await using broker = createBroker(driver, quiet);
    await broker.connect();
    await expect(broker.publish("t")).rejects.toThrow(
      expect.objectContaining({ code: "ERR_DRIVER", driver: "scripted" }),
    );
  });

  test("on an at-most-once broker retries and dead letters cannot be asked for", async () => {
    await using broker = createBroker(new ScriptedDriver({ guarantee: "at-most-once" }), quiet);
    await broker.connect();
    for (const options of [{ maxAttempts: 2 }, { backoffMs: 5 }, { deadLetter: "dead" }]) {
      await expect(broker.subscribe("t", () => {}, options)).rejects.toThrow(code("ERR_UNSUPPORTED"));
    }
    await broker.subscribe("t", () => {}, { maxAttempts: 1, deadLetter: false });
  });

  test("a publisher encodes with its codec, and says which value it cannot", async () => {
    const driver = new ScriptedDriver();
    await using broker = createBroker(driver, quiet);
    await broker.connect();
    await broker.publisher("t").publish({ n: 1 }, { header: { a: "b" }, key: "k" });
    expect(driver.published[0]).toMatchObject({ key: "k", header: { "Content-Type": "application/json", a: "b" } });
    expect(Buffer.from(driver.published[0]?.body ?? []).toString()).toBe('{"n":1}');
    await expect(broker.publisher("t").publish(undefined)).rejects.toThrow(code("ERR_INVALID_PAYLOAD"));
    expect(() => broker.publisher("a..b")).toThrow(code("ERR_INVALID_TOPIC"));
  });
});
