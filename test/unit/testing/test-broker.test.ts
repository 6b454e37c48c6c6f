import { readFile } from "node:fs/promises";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Delivery } from "../../../src/delivery.ts";
import { BrokerError, NonRetryableError } from "../../../src/errors.ts";
import { Broker } from "../../../src/index.ts";
import { deferred } from "../../../src/internal/deferred.ts";
import { type TestBroker, type TestBrokerOptions, testBroker } from "../../../src/testing/index.ts";

async function connected(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const broker = testBroker(options);
  await broker.connect();
  return broker;
}

function timedOut({ signal }: Delivery): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

describe("a test broker", () => {
  test("is a memory broker that wants connect(), which may be called twice", async () => {
    await using broker = testBroker();
    expect(broker).toBeInstanceOf(Broker);
    expect([broker.name, broker.address, broker.status]).toEqual(["memory", "", "idle"]);
    await expect(broker.publish("t")).rejects.toMatchObject({ code: "ERR_NOT_CONNECTED" });
    await broker.connect();
    await broker.connect();
    expect([broker.status, broker.address, broker.native]).toEqual(["connected", "memory:", undefined]);
  });

  test("shares neither messages nor time with another", async () => {
    await using one = await connected({ now: 0 });
    await using other = await connected({ now: 0 });
    const seen: string[] = [];
    await one.subscribe("t", (delivery) => void seen.push(`one: ${delivery.text()}`));
    await other.subscribe("t", (delivery) => void seen.push(`other: ${delivery.text()}`));
    await other.publish("t", { body: "hello" });
    await other.advance(10);
    expect(seen).toEqual(["other: hello"]);
    expect([one.clock.now(), other.clock.now()]).toEqual([0, 10]);
    expect(one.published(">")).toEqual([]);
  });

  test("refuses options that are wrong, and says which", async () => {
    expect(() => testBroker({ timeoutMs: 0 })).toThrow("timeoutMs of testBroker");
    expect(() => testBroker({ now: Number.NaN })).toThrow("now of testBroker");
    expect(() => testBroker(JSON.parse('{"speed":2}'))).toThrow('no option "speed"');
    await using broker = await connected();
    await expect(broker.advance(-1)).rejects.toMatchObject({ code: "ERR_INVALID_OPTION" });
    await expect(broker.settled({ timeoutMs: -1 })).rejects.toMatchObject({ code: "ERR_INVALID_OPTION" });
    expect(() => broker.published("a..b")).toThrow(BrokerError);
    expect(() => broker.deadLettered("")).toThrow(BrokerError);
  });
});

describe("published", () => {
  test("shows what was published to a topic or pattern, in order, whatever became of it", async () => {
    await using broker = await connected();
    await broker.publish("orders.created", { header: { kind: "new" }, body: '{"id":7}' }, { id: "a", key: "k" });
    await broker.publisher("orders.paid").publish({ id: 8 }, { id: "b" });
    await broker.publishBatch("orders.created", [{ body: "x" }, { body: "y" }]);
    await broker.publish("other");
    const [first] = broker.published("orders.created");
    expect(first).toMatchObject({ topic: "orders.created", id: "a", key: "k", header: { kind: "new" } });
    expect([first?.text(), first?.json()]).toEqual(['{"id":7}', { id: 7 }]);
    expect(broker.published("orders.*").map(({ body }) => String(Buffer.from(body)))).toEqual([
      '{"id":7}',
      '{"id":8}',
      "x",
      "y",
    ]);
    expect(broker.published(">")).toHaveLength(5);
    first?.body.fill(0);
    expect(() => first?.json()).toThrow(SyntaxError);
  });

  test("shows headers that cannot be changed: the message that a handler gets stays as it is", async () => {
    await using broker = await connected();
    const queue = await broker.subscribe("t", () => {}, { queue: "q" });
    await queue.unsubscribe();
    await broker.publish("t", { header: { kind: "new" } });
    const header = broker.published("t")[0]?.header as Record<string, string>;
    expect(() => {
      header["kind"] = "old";
    }).toThrow(TypeError);
    const seen: unknown[] = [];
    await broker.subscribe("t", ({ message }) => void seen.push({ ...message.header }), { queue: "q" });
    await broker.settled();
    expect(seen).toEqual([{ kind: "new" }]);
  });

  test("does not show what could not be published", async () => {
    await using broker = await connected();
    await expect(broker.publish("t", {}, { mandatory: true })).rejects.toMatchObject({ code: "ERR_NO_SUBSCRIBERS" });
    expect(broker.published("t")).toEqual([]);
  });
});

describe("retries", () => {
  test("come after exact delays of virtual time", async () => {
    await using broker = await connected({ now: 0 });
    const attempts: [attempt: number, at: number][] = [];
    await broker.subscribe(
      "orders.created",
      async (delivery) => {
        await turn();
        attempts.push([delivery.attempt, broker.clock.now()]);
        throw new Error("no");
      },
      { queue: "billing", maxAttempts: 6 },
    );
    await broker.publish("orders.created", { header: { a: "b" }, body: '{"id":7}' }, { id: "m", key: "k" });
    await broker.settled();
    expect(attempts).toEqual([
      [1, 0],
      [2, 200],
      [3, 600],
      [4, 1_400],
      [5, 3_000],
      [6, 6_200],
    ]);
    const [letter, ...others] = broker.deadLettered("orders.created");
    expect(others).toEqual([]);
    expect(letter).toMatchObject({
      topic: "orders.created",
      queue: "billing",
      deadLetterTopic: "dlq.orders.created",
      id: "m",
      key: "k",
      header: { a: "b" },
      reason: "no",
      attempts: 6,
      firstAt: new Date(0),
      lastAt: new Date(6_200),
    });
    expect([letter?.text(), letter?.json()]).toEqual(['{"id":7}', { id: 7 }]);
    expect(broker.clock.now()).toBe(6_200);
  });

  test("let a whole test with five of them and a dead letter take less than 100 ms", async () => {
    const run = async (): Promise<number> => {
      const startedAt = performance.now();
      await using broker = await connected();
      await broker.subscribe("t", () => Promise.reject(new Error("no")), { maxAttempts: 6, backoffMs: 1_000 });
      await broker.publish("t");
      await broker.settled();
      expect(broker.deadLettered("t")).toMatchObject([{ attempts: 6 }]);
      return performance.now() - startedAt;
    };
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) times.push(await run());
    // The best of them: the others may have waited for whatever else the machine does.
    expect(Math.min(...times)).toBeLessThan(100);
  });

  test("come one by one with advance", async () => {
    await using broker = await connected();
    const attempts: number[] = [];
    await broker.subscribe("t", (delivery) => {
      attempts.push(delivery.attempt);
      if (delivery.attempt < 3) throw new Error("not yet");
    });
    await broker.publish("t");
    await broker.advance(199);
    expect(attempts).toEqual([1]);
    await broker.advance(1);
    expect(attempts).toEqual([1, 2]);
    await broker.advance(400);
    expect(attempts).toEqual([1, 2, 3]);
    await broker.settled();
    expect(broker.deadLettered("t")).toEqual([]);
  });

  test("without any delay come too, and for ever only until the deadline", async () => {
    await using broker = await connected({ timeoutMs: 100 });
    let starts = 0;
    const always = { maxAttempts: Number.POSITIVE_INFINITY, backoffMs: 0 };
    await broker.subscribe(
      "t",
      () => {
        starts += 1;
        throw new Error("no");
      },
      always,
    );
    await broker.publish("t", {}, { id: "m" });
    await expect(broker.settled()).rejects.toThrow(
      /There was no end of retries within 100 ms: message m on t, attempt \d+, is due in 1 ms of virtual time\./,
    );
    expect(starts).toBeGreaterThan(5);
  });

  test("keep the order of their key, and hold up no other key", async () => {
    await using broker = await connected({ now: 0 });
    const log: string[] = [];
    await broker.subscribe(
      "t",
      (delivery) => {
        log.push(`${delivery.text()}${delivery.attempt} at ${broker.clock.now()}`);
        if (delivery.text() === "a" && delivery.attempt < 3) throw new Error("again");
      },
      { orderBy: "key", ackTimeoutMs: Number.POSITIVE_INFINITY },
    );
    await broker.publish("t", { body: "a" }, { key: "1" });
    await broker.publish("t", { body: "b" }, { key: "1" });
    await broker.publish("t", { body: "c" }, { key: "2" });
    await broker.settled();
    expect(log).toEqual(["a1 at 0", "c1 at 0", "a2 at 200", "a3 at 600", "b1 at 600"]);
  });

  test("wait for a member of their queue, which settled does not", async () => {
    await using broker = await connected();
    const options = { queue: "q" };
    const first = await broker.subscribe("t", () => Promise.reject(new Error("no")), options);
    await broker.publish("t");
    await turn();
    await first.unsubscribe();
    await broker.settled();
    expect((await broker.queues.list()).map(({ messages }) => messages)).toEqual([1]);
    const attempts: number[] = [];
    await broker.subscribe("t", (delivery) => void attempts.push(delivery.attempt), options);
    expect(attempts).toEqual([2]);
  });
});

describe("dead letters", () => {
  test("are found by either topic, also once they were redriven or read", async () => {
    await using broker = await connected();
    let price: number | undefined;
    const paid: string[] = [];
    await broker.subscribe(
      "orders.*",
      (delivery) => {
        if (price === undefined) throw new NonRetryableError("no price");
        paid.push(delivery.topic);
      },
      { queue: "billing" },
    );
    await broker.subscribe("mails", (delivery) => delivery.reject("bounced"), { deadLetter: "mails.failed" });
    await broker.subscribe("unimportant", (delivery) => delivery.reject(), { deadLetter: false });
    for (const topic of ["orders.b", "orders.a", "mails", "unimportant"]) await broker.publish(topic);
    await broker.settled();
    const found = (topic: string) => broker.deadLettered(topic).map((letter) => `${letter.topic}: ${letter.reason}`);
    expect(found("orders.>")).toEqual(["orders.b: no price", "orders.a: no price"]);
    expect(found("dlq.orders.a")).toEqual(["orders.a: no price"]);
    expect(found("mails.failed")).toEqual(["mails: bounced"]);
    expect(found(">")).toHaveLength(3);
    price = 1;
    expect(await broker.deadLetters.redrive("orders.a")).toBe(1);
    await broker.settled();
    expect(paid).toEqual(["orders.a"]);
    expect(found("orders.>")).toHaveLength(2);
    expect(await broker.deadLetters.list("orders.a")).toEqual([]);
  });
});

describe("settled", () => {
  test("waits for handlers that do real work, one after another, and for what they publish", async () => {
    await using broker = await connected({ now: 0 });
    const log: string[] = [];
    await broker.subscribe("files", async (delivery) => {
      const text = await readFile(new URL(import.meta.url), "utf8");
      for (let turns = 0; turns < 20; turns += 1) await turn();
      log.push(`read ${text.includes(delivery.text())}`);
      await broker.publish("read.done", { body: delivery.text() });
    });
    await broker.subscribe(
      "read.*",
      async (delivery) => {
        await new Promise((resolve) => setTimeout(resolve, 15));
        log.push(`done, attempt ${delivery.attempt}`);
        if (delivery.attempt === 1) throw new Error("once more");
      },
      { concurrency: 1 },
    );
    for (const body of ["describe", "expect"]) void broker.publish("files", { body });
    await broker.settled();
    expect(log.sort()).toEqual([
      "done, attempt 1",
      "done, attempt 1",
      "done, attempt 2",
      "done, attempt 2",
      "read true",
      "read true",
    ]);
    expect(broker.published("read.done")).toHaveLength(2);
    expect(broker.clock.now()).toBeGreaterThanOrEqual(200);
  });

  test("resolves at once where there is nothing to do, or nobody to do it", async () => {
    await using broker = await connected({ now: 5 });
    await broker.settled();
    await broker.createQueue("t", "q");
    await broker.publish("t");
    await broker.publish("unwanted");
    await broker.settled();
    expect(broker.clock.now()).toBe(5);
    await broker.disconnect();
    await broker.settled();
  });

  test("names what still runs at its deadline, which does no harm", async () => {
    await using broker = await connected();
    const gate = deferred<void>();
    await broker.subscribe("orders.*", () => gate.promise, { queue: "billing" });
    const held: Delivery[] = [];
    await broker.subscribe("held", (delivery) => void held.push(delivery), { autoAck: false });
    await broker.publish("orders.paid", {}, { id: "m" });
    await broker.publish("held", {}, { id: "h" });
    const error = await broker.settled({ timeoutMs: 30 }).catch((thrown: Error) => thrown.message);
    expect(error).toMatch(
      new RegExp(
        [
          "^After 30 ms of real time this still runs:",
          "  - the handler of orders\\.\\* \\(queue billing\\): message m on orders\\.paid, attempt 1, for \\d+ ms",
          "  - the handler of held: message h on held, attempt 1, for \\d+ ms, not settled",
          "advance\\(ms\\) passes virtual time for a handler that waits for its time limit\\.$",
        ].join("\n"),
      ),
    );
    gate.resolve(undefined);
    await held[0]?.ack();
    await broker.settled();
    expect(broker.deadLettered(">")).toEqual([]);
  });

  test("waits for deliveries taken from a stream, not for those that nobody takes", async () => {
    await using broker = await connected();
    const read: string[] = [];
    const stream = broker.messages("t", { maxAttempts: 2, backoffMs: 1_000 });
    const idle = broker.messages("t");
    await Promise.all([stream.ready(), idle.ready()]);
    const reading = (async () => {
      for await (const delivery of stream) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        read.push(`${delivery.text()}${delivery.attempt}`);
        if (delivery.text() === "a") await delivery.nack();
        else await delivery.ack();
      }
    })();
    for (const body of ["a", "b"]) await broker.publish("t", { body });
    await broker.settled();
    expect(read).toEqual(["a1", "b1", "a2"]);
    expect(broker.deadLettered("t").map((letter) => letter.text())).toEqual(["a"]);
    const { value } = await idle.next();
    await expect(broker.settled({ timeoutMs: 10 })).rejects.toThrow(
      /a reader of t: message \S+ on t, attempt 1, for \d+ ms, not settled/,
    );
    await value.ack();
    await broker.settled();
    await Promise.all([stream.return(), idle.return(), reading]);
  });

  test("leaves errors of subscribing to the reader of a stream", async () => {
    await using broker = await connected();
    await expect(broker.messages("a..b").next()).rejects.toMatchObject({ code: "ERR_INVALID_TOPIC" });
    await expect(broker.subscribe("t", "no function" as never)).rejects.toMatchObject({ code: "ERR_INVALID_OPTION" });
  });

  test("goes on under the fake timers of a test runner", async () => {
    vi.useFakeTimers();
    await using broker = await connected();
    await broker.subscribe("t", (delivery) => {
      if (delivery.attempt < 3) throw new Error("again");
    });
    await broker.publish("t");
    await broker.settled();
    expect(broker.deadLettered("t")).toEqual([]);
  });

  afterEach(() => {
    vi.useRealTimers();
  });
});

describe("advance", () => {
  test("passes the time limits of handlers", async () => {
    await using broker = await connected({ now: 0 });
    const log: string[] = [];
    const options = { maxAttempts: 2, backoffMs: 100, ackTimeoutMs: 1_000 };
    await broker.subscribe(
      "t",
      async (delivery) => {
        log.push(`start ${broker.clock.now()}`);
        await timedOut(delivery).catch(() => log.push(`aborted ${broker.clock.now()}`));
      },
      options,
    );
    await broker.publish("t");
    await broker.advance(999);
    expect(log).toEqual(["start 0"]);
    await broker.advance(1);
    expect(log).toEqual(["start 0", "aborted 1000"]);
    await broker.advance(2_000);
    await broker.settled();
    expect(log).toEqual(["start 0", "aborted 1000", "start 1100", "aborted 2100"]);
    expect(broker.deadLettered("t")).toMatchObject([
      { attempts: 2, reason: "the handler did not settle within 1000 ms" },
    ]);
    expect(broker.clock.now()).toBe(3_000);
  });

  test("respects extend", async () => {
    await using broker = await connected({ now: 0 });
    const aborted: number[] = [];
    await broker.subscribe(
      "t",
      async (delivery) => {
        delivery.extend(5_000);
        await timedOut(delivery).catch(() => aborted.push(broker.clock.now()));
      },
      { ackTimeoutMs: 1_000, maxAttempts: 1 },
    );
    await broker.publish("t");
    await broker.advance(10_000);
    expect(aborted).toEqual([5_000]);
  });

  test("lets settled go on that waits for a time limit", async () => {
    await using broker = await connected();
    await broker.subscribe("t", timedOut, { maxAttempts: 1 });
    await broker.publish("t");
    const settled = broker.settled();
    await broker.advance(30_000);
    await settled;
    expect(broker.deadLettered("t")).toHaveLength(1);
  });

  test("gives up what is too old", async () => {
    await using broker = await connected({ backlogAgeMs: 60_000 });
    await broker.createQueue("t", "q");
    await broker.publish("t");
    await broker.advance(59_000);
    expect((await broker.queues.list())[0]?.messages).toBe(1);
    await broker.advance(10_000);
    expect((await broker.queues.list())[0]?.messages).toBe(0);
  });
});
