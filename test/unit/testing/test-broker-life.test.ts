import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Delivery } from "../../../src/delivery.ts";
import { createService } from "../../../src/index.ts";
import { deferred } from "../../../src/internal/deferred.ts";
import { retry } from "../../../src/service/middleware/retry.ts";
import { ResourceTracker } from "../../../src/testing/conformance/resource-tracker.ts";
import { type TestBroker, type TestBrokerOptions, testBroker } from "../../../src/testing/index.ts";

async function connected(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const broker = testBroker(options);
  await broker.connect();
  return broker;
}

const never = () => new Promise<never>(() => {});

describe("disconnect", () => {
  test("lets running handlers end, in real time", async () => {
    await using broker = await connected({ now: 0 });
    let ended = 0;
    await broker.subscribe("t", async () => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      ended += 1;
    });
    await broker.publish("t");
    await broker.disconnect();
    expect([ended, broker.status, broker.clock.now()]).toEqual([1, "closed", 0]);
  });

  test("moves on to the drain deadline where a handler does not end", async () => {
    await using broker = await connected({ timeoutMs: 20, drainTimeoutMs: 3_000, now: 0 });
    const signals: AbortSignal[] = [];
    const hang = (delivery: Delivery) => {
      signals.push(delivery.signal);
      return never();
    };
    const subscriber = await broker.subscribe("t", hang, { drainTimeoutMs: 1_000 });
    await broker.subscribe("u", hang, { queue: "q" });
    const stream = broker.messages("v", { queue: "q" });
    for (const topic of ["t", "u", "v"]) await broker.publish(topic);
    await stream.next();
    await subscriber.unsubscribe();
    expect(broker.clock.now()).toBe(1_000);
    await broker.disconnect();
    expect(broker.clock.now()).toBe(4_000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    await stream.return();
  });

  test("does not wait for handlers whose time limit has passed", async () => {
    await using broker = await connected({ timeoutMs: 60_000 });
    await broker.subscribe("t", never, { maxAttempts: 2 });
    await broker.publish("t");
    await broker.advance(120_000);
    expect(broker.deadLettered("t")).toMatchObject([{ attempts: 2 }]);
    await expect(broker.settled({ timeoutMs: 5 })).rejects.toThrow("past its time limit");
    await broker.disconnect();
  });

  test("keeps queues and dead letters for the next connect, as a server would", async () => {
    await using broker = await connected();
    const fail = () => Promise.reject(new Error("no"));
    await broker.subscribe("t", fail, { queue: "q", maxAttempts: 1 });
    await broker.createQueue("u", "kept");
    await broker.publish("t", { body: "a" });
    await broker.publish("u", { body: "b" });
    await broker.settled();
    await broker.disconnect();
    expect(broker.deadLettered("t")).toHaveLength(1);
    await broker.connect();
    const seen: string[] = [];
    const note = (delivery: Delivery) => void seen.push(`${delivery.topic}: ${delivery.text()}`);
    await broker.subscribe("u", note, { queue: "kept" });
    await broker.subscribe("dlq.t", note);
    expect(seen).toEqual(["u: b", "dlq.t: a"]);
  });

  test("tells what only subscriptions without a queue wanted", async () => {
    await using broker = await connected();
    await broker.subscribe("t", () => Promise.reject(new Error("no")));
    await broker.publish("t");
    await turn();
    await expect(broker.disconnect()).rejects.toMatchObject({ code: "ERR_UNDELIVERED", count: 1 });
    expect(broker.status).toBe("closed");
    await broker.connect();
    await broker.disconnect();
  });

  test("is not needed for the process to end: nothing keeps it alive", async () => {
    const tracker = new ResourceTracker();
    try {
      await tracker.run(async () => {
        const broker = await connected();
        await broker.subscribe("t", () => Promise.reject(new Error("no")), { queue: "q" });
        await broker.publish("t");
        await broker.settled();
        await broker.publish("t");
        await turn();
        expect(tracker.alive).toEqual([]);
        await broker.disconnect();
      });
      expect(tracker.alive).toEqual([]);
    } finally {
      tracker.stop();
    }
  });
});

describe("await using", () => {
  test("drops what is left, which is no error, and waits for no retry", async () => {
    const broker = await connected();
    {
      await using used = broker;
      await used.subscribe("t", () => Promise.reject(new Error("no")));
      await used.publish("t");
      await turn();
    }
    expect(broker.status).toBe("closed");
    expect(broker.deadLettered("t")).toEqual([]);
  });
});

describe("reset", () => {
  test("drops messages, dead letters, records and failures, and keeps subscriptions", async () => {
    await using broker = await connected();
    const seen: string[] = [];
    await broker.subscribe(
      "t",
      (delivery) => {
        seen.push(`${delivery.text()}${delivery.attempt}`);
        if (delivery.text() === "bad") throw new Error("no");
      },
      { queue: "q", maxAttempts: 2 },
    );
    await broker.createQueue("t", "other");
    await broker.publish("t", { body: "bad" });
    await broker.settled();
    await broker.publish("t", { body: "bad" });
    broker.fail.publish();
    await broker.reset();
    expect([broker.published(">"), broker.deadLettered(">"), await broker.deadLetters.list("t")]).toEqual([[], [], []]);
    expect(await broker.queues.list()).toEqual([{ topic: "t", queue: "q", members: 1, messages: 0 }]);
    seen.length = 0;
    await broker.publish("t", { body: "good" });
    await broker.settled();
    expect(seen).toEqual(["good1"]);
    expect(broker.deadLettered(">")).toEqual([]);
  });

  test("lets handlers end that run, and ignores what they do", async () => {
    await using broker = await connected();
    const gate = deferred<void>();
    const seen: string[] = [];
    await broker.subscribe(
      "t",
      async (delivery) => {
        seen.push(delivery.text());
        await gate.promise;
        await broker.publish("late");
        throw new Error("no");
      },
      { concurrency: 1, prefetch: 5 },
    );
    for (const body of ["a", "b"]) await broker.publish("t", { body });
    const resetting = broker.reset();
    gate.resolve(undefined);
    await resetting;
    await broker.settled();
    expect(seen).toEqual(["a"]);
    expect(broker.published(">")).toEqual([]);
  });

  test("leaves nothing behind in the order of a key, in a stream, or with a lost connection", async () => {
    await using broker = await connected();
    const seen: string[] = [];
    await broker.subscribe(
      "t",
      (delivery) => {
        seen.push(delivery.text());
        if (delivery.text() === "old") throw new Error("no");
      },
      { orderBy: "key" },
    );
    const stream = broker.messages("t");
    await stream.ready();
    await broker.publish("t", { body: "old" }, { key: "k" });
    await turn();
    broker.loseConnection();
    await broker.reset();
    expect(broker.status).toBe("connected");
    await broker.publish("t", { body: "new" }, { key: "k" });
    await broker.settled();
    expect(seen).toEqual(["old", "new"]);
    const { value } = await stream.next();
    expect(value.text()).toBe("new");
    await value.ack();
    await stream.return();
  });

  test("names a handler that does not end, and drops everything all the same", async () => {
    await using broker = await connected({ timeoutMs: 20 });
    await broker.subscribe("t", never);
    await broker.publish("t");
    await expect(broker.reset()).rejects.toThrow("the handler of t: message");
    expect(broker.published("t")).toEqual([]);
  });

  test("does not wait for a handler whose time limit has passed, nor does settled afterwards", async () => {
    await using broker = await connected({ timeoutMs: 60_000 });
    await broker.subscribe("t", never, { maxAttempts: 1 });
    await broker.publish("t");
    await broker.advance(30_000);
    await broker.reset();
    await broker.settled();
    expect(broker.deadLettered("t")).toEqual([]);
  });

  test("works on a closed broker", async () => {
    await using broker = await connected();
    await broker.createQueue("t", "q");
    await broker.disconnect();
    await broker.reset();
    await broker.connect();
    expect(await broker.queues.list()).toEqual([]);
  });
});

describe("a service", () => {
  test("runs on a test broker, and starts and stops it", async () => {
    const broker = testBroker({ timeoutMs: 1_000 });
    const service = createService({ name: "billing", broker });
    service.use(retry({ attempts: 2, backoffMs: 50, clock: broker.clock }));
    const attempts: number[] = [];
    service.subscribe(
      "orders.created",
      async (order: { id: number }, context) => {
        attempts.push(context.attempt);
        await context.publish("invoices.created", { order: order.id });
        throw new Error("no");
      },
      { queue: "billing", maxAttempts: 2 },
    );
    await service.start();
    await broker.publisher("orders.created").publish({ id: 7 });
    await broker.advance(50 + 200 + 50);
    await broker.settled();
    expect(attempts).toEqual([1, 1, 2, 2]);
    expect(broker.published("invoices.created").map((invoice) => invoice.json())).toEqual(Array(4).fill({ order: 7 }));
    expect(broker.deadLettered("orders.created")).toMatchObject([{ queue: "billing", attempts: 2, reason: "no" }]);
    await service.stop();
    expect(broker.status).toBe("closed");
  });
});

describe("flush", () => {
  test("passes the time that retries need", async () => {
    await using broker = await connected();
    const attempts: number[] = [];
    await broker.subscribe("t", (delivery) => {
      attempts.push(delivery.attempt);
      if (delivery.attempt < 3) throw new Error("no");
    });
    await broker.publish("t");
    await broker.flush();
    expect(attempts).toEqual([1, 2, 3]);
  });
});

describe("publish", () => {
  test("answers waiting at once where a target is full, and waits where it is told to", async () => {
    await using broker = await connected();
    await using patient = await connected({ acceptTimeoutMs: 1_000 });
    for (const one of [broker, patient]) {
      const gate = deferred<void>();
      await one.subscribe("t", () => gate.promise, { concurrency: 1 });
      const states: string[] = [];
      for (let count = 0; count < 2; count += 1) void one.publish("t").then(({ state }) => states.push(state));
      await one.advance(0);
      expect(states).toEqual(one === broker ? ["accepted", "waiting"] : ["accepted"]);
      await one.advance(1_000);
      expect(states).toEqual(["accepted", "waiting"]);
      gate.resolve(undefined);
      await one.settled();
    }
  });
});

describe("a broker that is disconnected without a connection", () => {
  test("works when it is connected again", async () => {
    const broker = testBroker();
    await broker.connect();
    broker.loseConnection();
    await broker.disconnect();
    await broker.connect();
    const got: string[] = [];
    await broker.subscribe("t", (delivery) => void got.push(delivery.text()));
    await broker.publish("t", { body: "here" });
    await broker.settled();
    expect([broker.status, got]).toEqual(["connected", ["here"]]);
  });

  test("finds in its queues what could not be settled", async () => {
    const broker = testBroker();
    await broker.connect();
    const got: string[] = [];
    await broker.subscribe(
      "t",
      () => {
        broker.loseConnection();
      },
      { queue: "q" },
    );
    await broker.publish("t", { body: "first" });
    await broker.settled().catch(() => {});
    const second = expect(broker.publish("t", { body: "second" })).rejects.toThrow();
    await broker.disconnect().catch(() => {});
    await second;
    await broker.connect();
    await broker.subscribe("t", (delivery) => void got.push(delivery.text()), { queue: "q" });
    await broker.settled();
    expect(got).toEqual(["first"]);
  });
});
