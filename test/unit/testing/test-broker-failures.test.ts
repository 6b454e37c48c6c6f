import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { BrokerError } from "../../../src/errors.ts";
import { deferred } from "../../../src/internal/deferred.ts";
import { type TestBroker, type TestBrokerOptions, testBroker } from "../../../src/testing/index.ts";

async function connected(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const broker = testBroker(options);
  await broker.connect();
  return broker;
}

/** Collects the codes of errors that no call returned. */
function codes(): { readonly found: string[]; readonly onError: (error: BrokerError) => void } {
  const found: string[] = [];
  return { found, onError: (error) => found.push(error.code) };
}

describe("fail.publish", () => {
  test("fails the next publish, and only that", async () => {
    await using broker = await connected();
    broker.fail.publish();
    const results = await broker.publishBatch("t", [{ body: "a" }, { body: "b" }]);
    expect(results.map((result) => (result instanceof BrokerError ? result.code : result.state))).toEqual([
      "ERR_CONNECTION_LOST",
      "unrouted",
    ]);
    expect(broker.published("t").map((message) => message.text())).toEqual(["b"]);
  });

  test("fails as often as asked, on topics that match, with the error given, until it is taken back", async () => {
    await using broker = await connected();
    broker.fail.publish({ topic: "orders.*", times: 2, error: new Error("disk full") });
    broker.fail.publish({ topic: "mails", times: Number.POSITIVE_INFINITY });
    await broker.publish("other");
    const failed = { code: "ERR_DRIVER", message: "Publishing failed: disk full" };
    await expect(broker.publish("orders.a")).rejects.toMatchObject(failed);
    await expect(broker.publish("orders.b")).rejects.toMatchObject(failed);
    await broker.publish("orders.c");
    for (let time = 0; time < 3; time += 1) {
      await expect(broker.publish("mails")).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST", retryable: true });
    }
    broker.fail.nothing();
    await broker.publish("mails");
  });

  test("refuses what it cannot do", async () => {
    await using broker = await connected();
    expect(() => broker.fail.publish({ times: 0 })).toThrow("times of fail.publish");
    expect(() => broker.fail.ack({ topic: "" })).toThrow(BrokerError);
    expect(() => broker.fail.deadLetter(JSON.parse('{"error":"no"}'))).toThrow("error of fail.deadLetter");
  });
});

describe("fail.ack", () => {
  test("makes the message come again, as the next attempt", async () => {
    const { found, onError } = codes();
    await using broker = await connected({ onError, now: 0 });
    const attempts: [number, number][] = [];
    await broker.subscribe("t", (delivery) => void attempts.push([delivery.attempt, broker.clock.now()]));
    broker.fail.ack({ topic: "t" });
    await broker.publish("t");
    await broker.settled();
    expect(attempts).toEqual([
      [1, 0],
      [2, 1_000],
    ]);
    expect(found).toEqual(["ERR_CONNECTION_LOST"]);
  });

  test("rejects the ack of a handler that acks by itself", async () => {
    await using broker = await connected();
    const results: string[] = [];
    await broker.subscribe(
      "t",
      (delivery) =>
        delivery.ack().then(
          () => results.push("acked"),
          (error: BrokerError) => results.push(error.message),
        ),
      { autoAck: false },
    );
    broker.fail.ack({ error: new BrokerError("ERR_CONNECTION_LOST", "gone") });
    await broker.publish("t");
    await broker.settled();
    expect(results).toEqual(["gone", "acked"]);
  });
});

describe("fail.deadLetter", () => {
  test("keeps the message, tells why, and starts no handler for another try", async () => {
    const { found, onError } = codes();
    await using broker = await connected({ onError, now: 0 });
    let starts = 0;
    for (const queue of ["one", "other"]) {
      await broker.subscribe(
        "t",
        (delivery) => {
          starts += 1;
          return delivery.reject("never");
        },
        { queue, autoAck: false },
      );
    }
    broker.fail.deadLetter({ topic: "dlq.t", times: 3 });
    await broker.publish("t");
    await turn();
    expect(broker.deadLettered("t")).toEqual([]);
    expect((await broker.queues.list()).map(({ messages }) => messages)).toEqual([1, 1]);
    await broker.settled();
    expect(starts).toBe(2);
    expect(broker.deadLettered("t").map(({ queue, reason, attempts }) => [queue, reason, attempts])).toEqual([
      ["other", "never", 1],
      ["one", "never", 1],
    ]);
    expect(await broker.deadLetters.list("t")).toHaveLength(2);
    expect(broker.clock.now()).toBe(2_000);
    expect(found.filter((code) => code === "ERR_DEAD_LETTER")).toHaveLength(3);
  });

  test("for ever is an error of settled that names the message", async () => {
    await using broker = await connected();
    await broker.subscribe("t", () => Promise.reject(new Error("no")), { maxAttempts: 1 });
    broker.fail.deadLetter({ times: Number.POSITIVE_INFINITY });
    await broker.publish("t", {}, { id: "m" });
    await expect(broker.settled({ timeoutMs: 50 })).rejects.toThrow(/no end of retries within 50 ms: message m on t/);
    broker.fail.nothing();
    await broker.settled();
    expect(broker.deadLettered("t")).toMatchObject([{ reason: "no", attempts: 1 }]);
  });
});

describe("a lost connection", () => {
  test("keeps publishes in the buffer until it is restored", async () => {
    const { found, onError } = codes();
    await using broker = await connected({ onError, bufferMessages: 1 });
    const seen: string[] = [];
    await broker.subscribe("t", (delivery) => void seen.push(delivery.text()));
    broker.loseConnection();
    broker.loseConnection();
    expect([broker.status, broker.lastError?.code]).toEqual(["reconnecting", "ERR_CONNECTION_LOST"]);
    const waiting = broker.publish("t", { body: "a" });
    await expect(broker.publish("t", { body: "b" })).rejects.toMatchObject({ code: "ERR_BACKLOG_FULL" });
    await expect(broker.subscribe("u", () => {})).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
    await expect(broker.queues.list()).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
    await broker.settled();
    expect([seen, broker.published("t")]).toEqual([[], []]);
    broker.restoreConnection();
    broker.restoreConnection();
    expect(broker.status).toBe("connected");
    expect((await waiting).state).toBe("accepted");
    expect(seen).toEqual(["a"]);
    expect(found).toEqual(["ERR_CONNECTION_LOST"]);
  });

  test("makes what could not be settled come again, with no attempt counted, and delivers nothing meanwhile", async () => {
    const { found, onError } = codes();
    await using broker = await connected({ onError });
    const gate = deferred<void>();
    const log: string[] = [];
    await broker.subscribe(
      "t",
      async (delivery) => {
        log.push(`${delivery.text()}${delivery.attempt}`);
        await gate.promise;
        if (delivery.text() === "b" && delivery.attempt === 1 && broker.status !== "connected") throw new Error("no");
      },
      { concurrency: 2, queue: "q" },
    );
    for (const body of ["a", "b", "c"]) await broker.publish("t", { body });
    broker.loseConnection();
    gate.resolve(undefined);
    await broker.settled();
    await broker.advance(60_000);
    expect(log).toEqual(["a1", "b1"]);
    broker.restoreConnection();
    await broker.settled();
    expect(log.sort()).toEqual(["a1", "a1", "b1", "b1", "c1"]);
    expect(found.sort()).toEqual([...Array(3).fill("ERR_CONNECTION_LOST"), "ERR_HANDLER_FAILED"]);
    expect((await broker.queues.list())[0]?.messages).toBe(0);
  });

  test("may last until the broker disconnects", async () => {
    await using broker = testBroker();
    expect(() => broker.loseConnection()).toThrow("no connection to lose: the broker is idle");
    await broker.connect();
    await broker.subscribe("t", () => {}, { queue: "q" });
    broker.loseConnection();
    const waiting = broker.publish("t");
    const disconnected = broker.disconnect();
    await expect(waiting).rejects.toMatchObject({ code: "ERR_NOT_CONNECTED" });
    await disconnected;
    expect(broker.status).toBe("closed");
  });
});

test("what was aborted while it waited for room was not published", async () => {
  const broker = testBroker({ backlogMessages: 1, whenFull: "wait" });
  await broker.connect();
  await broker.createQueue("t", "q");
  await broker.publish("t", { body: "kept" });
  const stop = new AbortController();
  const waiting = expect(broker.publish("t", { body: "aborted" }, { signal: stop.signal })).rejects.toThrow("aborted");
  await turn();
  stop.abort();
  await waiting;
  const got: string[] = [];
  await broker.subscribe("t", (delivery) => void got.push(delivery.text()), { queue: "q" });
  await broker.settled();
  expect([got, broker.published("t").map((message) => message.text())]).toEqual([["kept"], ["kept"]]);
});

test("what was aborted only once it was taken was published", async () => {
  await using broker = testBroker({ acceptTimeoutMs: 1_000, timeoutMs: 50 });
  await broker.connect();
  const free = deferred<void>();
  await broker.subscribe("t", () => free.promise, { concurrency: 1, prefetch: 1 });
  await broker.publish("t", { body: "handled" });
  const stop = new AbortController();
  const waiting = expect(broker.publish("t", { body: "next" }, { signal: stop.signal })).rejects.toThrow("aborted");
  await turn();
  stop.abort();
  await waiting;
  free.resolve();
  await broker.settled();
  expect(broker.published("t").map((message) => message.text())).toEqual(["handled", "next"]);
});
