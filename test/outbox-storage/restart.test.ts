import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { createBroker } from "../../src/create-broker.ts";
import type { Delivery } from "../../src/delivery.ts";
import { http } from "../../src/drivers/http/index.ts";
import type { BrokerError } from "../../src/errors.ts";
import { deferred } from "../../src/internal/deferred.ts";
import { memory } from "../../src/registries/memory.ts";
import type { Registry } from "../../src/registry.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { openBroker } from "../http/support/brokers.ts";
import { named, openStored, storageFolder } from "./support.ts";

describe("what publish answers", () => {
  test("is stored for whom somebody wants, and waiting where nobody does yet", async () => {
    const { broker } = await openStored(await storageFolder());
    await broker.subscribe("wanted", () => {});
    await broker.createQueue("queued", "q");
    expect((await broker.publish("wanted")).state).toBe("stored");
    expect((await broker.publish("queued")).state).toBe("waiting");
    expect((await broker.publish("nobody")).state).toBe("waiting");
    await expect(broker.publish("nobody", {}, { mandatory: true })).rejects.toMatchObject({
      code: "ERR_NO_SUBSCRIBERS",
    });
  });

  test("does not depend on a full target: what it has no room for is stored", async () => {
    const { broker } = await openStored(await storageFolder());
    const gate = new Promise<void>(() => {});
    await broker.subscribe("t", () => gate, { concurrency: 1, ackTimeoutMs: 60_000, drainTimeoutMs: 0 });
    for (let n = 0; n < 3; n += 1) expect((await broker.publish("t")).state).toBe("stored");
  });

  test("says that the driver is durable, and only with storage", async () => {
    const folder = await storageFolder();
    const { broker } = await openStored(folder);
    expect(broker.capabilities.durable).toBe(true);
    const { broker: other } = await openStored(folder, { storage: undefined } as object);
    expect(other.capabilities.durable).toBe(false);
  });
});

describe("a flush", () => {
  test("waits for what its process published, and for what another left only where somebody takes it", async () => {
    const folder = await storageFolder();
    const first = await openStored(folder);
    await first.broker.publish("left", { body: "from before" });
    await first.broker.disconnect();

    const { broker } = await openStored(folder);
    await broker.flush({ signal: AbortSignal.timeout(5_000) });
    await broker.publish("own");
    await expect(broker.flush({ signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ name: "TimeoutError" });
    await broker.subscribe("own", () => {});
    await broker.flush({ signal: AbortSignal.timeout(5_000) });
    await broker.subscribe("left", (delivery) => delivery.reject("unwanted"));
    // It is a dead letter now, which was not published here either, and nobody reads.
    await broker.flush({ signal: AbortSignal.timeout(5_000) });
    expect(await broker.deadLetters.topics()).toEqual([{ topic: "dlq.left", messages: 1 }]);
  });
});

describe("a restart", () => {
  test("keeps what waits for a first subscriber, with id, key, header and body, in order", async () => {
    const folder = await storageFolder();
    const first = await openStored(folder);
    const body = randomBytes(1_000);
    const header = { "Content-Type": "x/y", __proto__x: "1", ü: "ß\r\n" };
    await first.broker.publish("t", { header, body }, { id: "the-id", key: "the-key" });
    for (let n = 0; n < 50; n += 1) await first.broker.publish("t", { body: String(n) });
    await first.broker.disconnect();

    const second = await openStored(folder);
    const got: Delivery[] = [];
    await second.broker.subscribe("t", (delivery) => void got.push(delivery), { concurrency: 1 });
    await until(() => got.length === 51, { what: "all arrived" });
    const [one, ...rest] = got as [Delivery, ...Delivery[]];
    expect([one.id, one.key, { ...one.message.header }, Buffer.compare(one.message.body, body), one.attempt]).toEqual([
      "the-id",
      "the-key",
      header,
      0,
      1,
    ]);
    expect(rest.map((delivery) => delivery.text())).toEqual(Array.from({ length: 50 }, (_one, n) => String(n)));
  });

  test("keeps queues and what they hold, and only for those that have not settled it", async () => {
    const folder = await storageFolder();
    const first = await openStored(folder);
    await first.broker.createQueue("t.>", "waits");
    let taken = 0;
    await first.broker.subscribe(
      "t.>",
      () => {
        taken += 1;
      },
      { queue: "takes" },
    );
    for (let n = 0; n < 10; n += 1) await first.broker.publish("t.x", { body: String(n) });
    await until(() => taken === 10, { what: "the queue with a member had all" });
    await first.broker.disconnect();

    const second = await openStored(folder);
    const queues = (await second.broker.queues.list()).sort((a, b) => a.queue.localeCompare(b.queue));
    expect(queues).toEqual([
      { topic: "t.>", queue: "takes", members: 0, messages: 0 },
      { topic: "t.>", queue: "waits", members: 0, messages: 10 },
    ]);
    const got: string[] = [];
    await second.broker.subscribe("t.>", (delivery) => void got.push(delivery.text()), { queue: "takes" });
    await second.broker.subscribe("t.>", (delivery) => void got.push(`w${delivery.text()}`), {
      queue: "waits",
      concurrency: 1,
    });
    await second.broker.flush();
    expect(got).toEqual(Array.from({ length: 10 }, (_one, n) => `w${n}`));
  });

  test("keeps a queue that holds nothing, and forgets one that was removed with what it held", async () => {
    const folder = await storageFolder();
    const first = await openStored(folder);
    await first.broker.createQueue("t", "stays");
    await first.broker.createQueue("t", "goes");
    await first.broker.publish("t");
    expect(await first.broker.queues.remove("t", "goes")).toBe(true);
    await first.broker.disconnect();
    const second = await openStored(folder);
    expect((await second.broker.queues.list()).map(({ queue, messages }) => [queue, messages])).toEqual([["stays", 1]]);
  });

  test("keeps dead letters, which can be listed, redriven and dropped", async () => {
    const folder = await storageFolder();
    const first = await openStored(folder);
    const fail = () => {
      throw new Error("no good");
    };
    await first.broker.subscribe("t", fail, { queue: "q", maxAttempts: 1 });
    for (const id of ["a", "b"]) await first.broker.publish("t", { body: id, header: { own: id } }, { id });
    await until(async () => (await first.broker.deadLetters.list("dlq.t")).length === 2, { what: "both were dead" });
    await first.broker.disconnect();

    const second = await openStored(folder);
    const letters = await second.broker.deadLetters.list("dlq.t");
    expect(
      letters.map(({ id, reason, queue, attempts, header }) => [id, reason, queue, attempts, { ...header }]),
    ).toEqual([
      ["a", "no good", "q", 1, { own: "a" }],
      ["b", "no good", "q", 1, { own: "b" }],
    ]);
    expect(await second.broker.deadLetters.redrive("dlq.t", { id: "a" })).toBe(1);
    expect(await second.broker.deadLetters.drop("dlq.t", { id: "b" })).toBe(1);
    await second.broker.disconnect();

    const third = await openStored(folder);
    expect(await third.broker.deadLetters.list("dlq.t")).toEqual([]);
    const got: Delivery[] = [];
    await third.broker.subscribe("t", (delivery) => void got.push(delivery), { queue: "q" });
    await third.broker.flush();
    expect(got.map(({ id, attempt, message }) => [id, attempt, { ...message.header }])).toEqual([
      ["a", 1, { own: "a" }],
    ]);
  });

  test("keeps attempt, first failure and the rest of the delay of a retry", async () => {
    const folder = await storageFolder();
    const first = await openStored(folder);
    let failedAt = 0;
    const fail = () => {
      failedAt = Date.now();
      throw new Error("not yet");
    };
    await first.broker.subscribe("t", fail, { queue: "q", backoffMs: 1_500, maxAttempts: 2 });
    await first.broker.publish("t", {}, { id: "one" });
    await until(() => failedAt > 0, { what: "it failed" });
    await first.broker.disconnect();

    const second = await openStored(folder);
    let again: { at: number; attempt: number } | undefined;
    const failAgain = (delivery: Delivery) => {
      again = { at: Date.now(), attempt: delivery.attempt };
      throw new Error("never");
    };
    await second.broker.subscribe("t", failAgain, { queue: "q", maxAttempts: 2 });
    await until(() => again !== undefined, { what: "it came again" });
    expect(again?.attempt).toBe(2);
    expect(again?.at).toBeGreaterThanOrEqual(failedAt + 1_500);
    const [letter] = await until(
      async () => {
        const letters = await second.broker.deadLetters.list("dlq.t");
        return letters.length === 1 ? letters : undefined;
      },
      { what: "it was dead" },
    );
    expect(letter?.attempts).toBe(2);
    expect(Math.abs((letter?.firstAt.getTime() ?? 0) - failedAt)).toBeLessThan(1_000);
  });

  test("gives up, with an event, what was for a broadcast subscriber that is gone, and keeps the other copies", async () => {
    const folder = await storageFolder();
    const first = await openStored(folder);
    await first.broker.createQueue("both", "q");
    for (const topic of ["only", "both"])
      await first.broker.subscribe(topic, () => new Promise<void>(() => {}), { drainTimeoutMs: 0 });
    for (const id of ["only", "both"]) await first.broker.publish(id, {}, { id });
    await first.broker.disconnect();
    const second = await openStored(folder);
    expect(second.givenUp.map(({ id, reason }) => [id, reason])).toEqual([
      ["only", "its subscriber is gone"],
      ["both", "its subscriber is gone"],
    ]);
    expect(await second.broker.queues.list()).toMatchObject([{ topic: "both", messages: 1 }]);
    await second.broker.disconnect();
    const third = await openStored(folder);
    expect(third.givenUp).toEqual([]);
    expect(await third.broker.queues.list()).toMatchObject([{ topic: "both", messages: 1 }]);
  });

  test("keeps what disconnect would have given up, and does not count it", async () => {
    const folder = await storageFolder();
    const { broker } = await openStored(folder);
    await broker.createQueue("t", "q");
    for (const topic of ["t", "nobody"]) await broker.publish(topic);
    await broker.disconnect();
    const { broker: next } = await openStored(folder);
    let got = 0;
    await next.subscribe(">", () => {
      got += 1;
    });
    expect(await next.queues.list()).toMatchObject([{ queue: "q", messages: 1 }]);
    await until(() => got === 1, { what: "the message that nobody wanted arrived" });
  });

  test("leaves no part behind in which there is nothing", async () => {
    const folder = await storageFolder();
    const { broker } = await openStored(folder);
    let got = 0;
    await broker.subscribe("t", () => {
      got += 1;
    });
    await broker.publish("t");
    await until(() => got === 1, { what: "it arrived" });
    await broker.disconnect();
    expect(await named(folder, "part-")).toEqual([]);
  });
});

describe("bounds", () => {
  test("count what an earlier process stored", async () => {
    const folder = await storageFolder();
    const { broker } = await openStored(folder, { backlogMessages: 3 });
    for (let n = 0; n < 3; n += 1) await broker.publish("t");
    await broker.disconnect();
    const { broker: next } = await openStored(folder, { backlogMessages: 3 });
    await expect(next.publish("t")).rejects.toMatchObject({ code: "ERR_BACKLOG_FULL" });
    await next.subscribe("t", () => {});
    await next.flush();
    expect((await next.publish("t")).state).toBe("stored");
  });

  test("in bytes refuse, or make wait, as whenFull says", async () => {
    const folder = await storageFolder();
    const { broker } = await openStored(folder, { backlogBytes: 1_000 }, { whenFull: "wait" });
    await broker.publish("t", { body: Buffer.alloc(900) });
    const waiting = broker.publish("t", { body: Buffer.alloc(900) });
    expect(await Promise.race([waiting, Promise.resolve("pending")])).toBe("pending");
    await broker.subscribe("t", () => {});
    expect((await waiting).state).toBe("stored");
  });

  test("in age count from publishing, across restarts", async () => {
    const folder = await storageFolder();
    const { broker } = await openStored(folder);
    await broker.publish("t", {}, { id: "old" });
    await broker.disconnect();
    const { givenUp } = await openStored(folder, { backlogAgeMs: 1 });
    await until(() => givenUp.length === 1, { what: "it was given up" });
    expect(givenUp).toMatchObject([{ id: "old", reason: "older than 1 ms" }]);
  });
});

describe("several brokers on one folder", () => {
  test("have a part each", async () => {
    const folder = await storageFolder();
    const brokers = [await openStored(folder), await openStored(folder), await openStored(folder)];
    await Promise.all(brokers.map(({ broker }, n) => broker.publish("t", {}, { id: `m${n}` })));
    expect(await named(folder, "part-")).toHaveLength(3);
    for (const { errors } of brokers) expect(errors).toEqual([]);
  });

  test("bring no queue back that was removed while its process was down", async () => {
    const registry = memory();
    const folder = await storageFolder();
    const open = (storage: string) => openBroker(registry, { storage }, { drainTimeoutMs: 500 });
    const down = await open(folder);
    const up = await open(`${folder}-other`);
    for (const queue of ["goes", "stays"]) await up.broker.createQueue("t", queue);
    await down.broker.publish("t", { body: "kept" });
    await down.broker.disconnect();
    expect(await up.broker.queues.remove("t", "goes")).toBe(true);
    const back = await open(folder);
    const waiting = async () => (await up.broker.queues.list()).map(({ queue, messages }) => [queue, messages]);
    expect(await waiting()).toEqual([["stays", 1]]);
    expect(back.givenUp).toMatchObject([{ topic: "t", queue: "goes", reason: "its queue was removed" }]);
    await up.broker.createQueue("t", "goes");
    await back.broker.disconnect();
    await open(folder);
    expect((await waiting()).sort()).toEqual([
      ["goes", 0],
      ["stays", 1],
    ]);
  });

  test("take over what one that ended left, without a new start", async () => {
    const folder = await storageFolder();
    const leaving = await openStored(folder);
    const staying = await openStored(folder);
    await leaving.broker.publish("t", { body: "left" }, { id: "one", key: "k" });
    await leaving.broker.createQueue("t", "q");
    const got: Delivery[] = [];
    await staying.broker.subscribe("t", (delivery) => void got.push(delivery));
    await leaving.broker.disconnect();
    await until(() => got.length === 1, {
      what: "the other had taken it over",
      deadlineMs: 25_000,
      detail: () => `${staying.errors.map(({ message }) => message)}`,
    });
    expect([got[0]?.id, got[0]?.key, got[0]?.text()]).toEqual(["one", "k", "left"]);
    await until(async () => (await named(folder, "part-")).length === 1, { what: "its part was removed" });
    // The queue came after the message, and has none of it.
    expect(await staying.broker.queues.list()).toMatchObject([{ queue: "q", messages: 0 }]);
    expect(staying.errors).toEqual([]);
  }, 40_000);
});

describe("a connect that is aborted", () => {
  test("closes what it opens after all, and tells where that fails", async () => {
    const folder = await storageFolder();
    const inner = memory();
    const [asked, gate] = [deferred<void>(), deferred<void>()];
    const registry: Registry = {
      ...inner,
      async register(service, options) {
        asked.resolve();
        await gate.promise;
        await inner.register(service, options);
      },
    };
    const errors: BrokerError[] = [];
    const broker = createBroker(http({ registry, storage: folder }), { onError: (error) => errors.push(error) });
    const abort = new AbortController();
    const connecting = broker.connect({ signal: abort.signal });
    await asked.promise;
    abort.abort(new Error("enough"));
    await expect(connecting).rejects.toThrow("enough");
    await rm(folder, { recursive: true, force: true });
    gate.resolve();
    await until(() => errors.length > 0, { what: "the failure was told" });
    expect(errors).toMatchObject([{ code: "ERR_STORAGE" }]);
  });
});
