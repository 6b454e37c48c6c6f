import { describe, expect, test, vi } from "vitest";
import { Broker } from "../../src/broker.ts";
import type { SubscribeOptions } from "../../src/broker-options.ts";
import type { Capabilities } from "../../src/capabilities.ts";
import { json } from "../../src/codecs/json.ts";
import type { Delivery, Handler } from "../../src/delivery.ts";
import { channels } from "../../src/diagnostics.ts";
import { BrokerError, NonRetryableError } from "../../src/errors.ts";
import { deferred } from "../../src/internal/deferred.ts";
import { FakeClock } from "./internal/fake-clock.ts";
import { ScriptedDelivery, ScriptedDriver } from "./support/scripted-driver.ts";

/** A subscription on a scripted driver and a clock that stands still. */
async function subscribed(
  handler: Handler,
  options: SubscribeOptions = {},
  { takesBack = true, ...capabilities }: Partial<Capabilities> & { takesBack?: boolean } = {},
) {
  const clock = new FakeClock();
  const driver = new ScriptedDriver(capabilities);
  driver.takesBack = takesBack;
  const errors: BrokerError[] = [];
  const source = { name: driver.name, load: async () => driver };
  const broker = new Broker({ source, codec: json, clock }, { onError: (error) => errors.push(error) });
  await broker.connect();
  const subscriber = await broker.subscribe("t", handler, options);
  const request = driver.requests[0];
  if (request === undefined) throw new Error("the driver saw no subscription");
  const deliver = (content: ConstructorParameters<typeof ScriptedDelivery>[0]) => {
    const delivery = new ScriptedDelivery(content);
    request.deliver(delivery);
    return delivery;
  };
  return { clock, driver, errors, broker, subscriber, request, deliver };
}

/** Lets everything that is due in this turn happen. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("handlers", () => {
  test("get a delivery, and nothing of the subscription that runs them", async () => {
    const receivers: unknown[] = [];
    const { deliver } = await subscribed(function handle(this: unknown) {
      receivers.push(this);
    });
    deliver({ id: "a" });
    expect(receivers).toEqual([undefined]);
  });
});

describe("settling", () => {
  test("a return acks, an error nacks with backoff and jitter, twice is harmless", async () => {
    const { deliver, errors } = await subscribed(
      async (delivery) => {
        if (delivery.id === "bad") throw new Error("why");
        if (delivery.id === "sync") return "anything";
        await delivery.ack();
        await delivery.ack();
        await delivery.nack();
        return undefined;
      },
      { backoffMs: 100, maxBackoffMs: 1_000 },
    );
    const [good, sync, bad, late] = [
      deliver({ id: "good" }),
      deliver({ id: "sync" }),
      deliver({ id: "bad" }),
      deliver({ id: "bad", attempt: 4 }),
    ];
    await turn();
    expect(good.outcomes).toEqual([{ kind: "ack" }]);
    expect(sync.outcomes).toEqual([{ kind: "ack" }]);
    expect(bad.outcomes).toMatchObject([{ kind: "retry", attempt: 2 }]);
    expect(late.outcomes).toMatchObject([{ kind: "retry", attempt: 5 }]);
    for (const [delivery, firstMs] of [
      [bad, 100],
      [late, 800],
    ] as const) {
      const [outcome] = delivery.outcomes;
      const delayMs = outcome?.kind === "retry" ? outcome.delayMs : 0;
      expect(delayMs).toBeGreaterThanOrEqual(firstMs);
      expect(delayMs).toBeLessThanOrEqual(firstMs * 1.2);
    }
    expect(errors.map((error) => error.code)).toEqual(["ERR_HANDLER_FAILED", "ERR_HANDLER_FAILED"]);
    expect(errors[0]?.message).toContain("attempt 1 of 5: why");
  });

  test("an error of the last attempt says what becomes of the message", async () => {
    const { deliver, errors } = await subscribed(() => {
      throw new Error("why");
    });
    const { deliver: deliverOnce, errors: lastErrors } = await subscribed(
      () => {
        throw new NonRetryableError("never");
      },
      { deadLetter: false },
    );
    deliver({ id: "1", attempt: 4 });
    deliver({ id: "2", attempt: 5 });
    deliverOnce({ id: "3" });
    await turn();
    const messages = [...errors, ...lastErrors].map(({ message }) => message.replace(/.*, attempt/, "attempt"));
    expect(messages).toEqual([
      "attempt 4 of 5: why",
      "attempt 5 of 5 and the last: the message becomes a dead letter in dlq.t: why",
      "attempt 1 of 5 and the last: the message is given up: never",
    ]);
  });

  test.each(["move", "publish"] as const)(
    "the channel tidings:settle tells what became of every delivery, where dead letters are made by %s",
    async (deadLetterMove) => {
      const told: string[] = [];
      const hear = (message: unknown) => {
        const { id, attempt, outcome } = message as { id: string; attempt: number; outcome: string };
        told.push(`${id} ${attempt} ${outcome}`);
      };
      channels.settle.subscribe(hear);
      const { clock, deliver, driver, subscriber } = await subscribed(
        ({ id }) => {
          if (id === "held") return new Promise(() => {});
          if (id === "failed") throw new Error("why");
          if (id !== "good") throw new NonRetryableError("never");
          return undefined;
        },
        { concurrency: 1, drainTimeoutMs: 100 },
        { deadLetterMove },
      );
      for (const id of ["good", "failed", "dead"]) deliver({ id });
      await turn();
      driver.onPublish = (publication) => publication.fail(new BrokerError("ERR_BACKLOG_FULL", "full"));
      if (deadLetterMove === "publish") deliver({ id: "unwritten" });
      for (const id of ["held", "waiting"]) deliver({ id });
      const closing = subscriber.unsubscribe();
      await turn();
      clock.advance(100);
      await closing;
      channels.settle.unsubscribe(hear);
      const unwritten = deadLetterMove === "publish" ? ["unwritten 1 retry"] : [];
      const all = ["good 1 ack", "failed 1 retry", "dead 1 dead", ...unwritten, "waiting 1 release", "held 1 release"];
      expect(told.sort()).toEqual(all.sort());
    },
  );

  test("the handler may choose the delay, and a wrong one is an error", async () => {
    const { deliver } = await subscribed((delivery) => delivery.nack({ delayMs: 7 }), { autoAck: false });
    const delivery = deliver({ id: "1" });
    await turn();
    expect(delivery.outcomes).toMatchObject([{ kind: "retry", delayMs: 7, attempt: 2 }]);
    const wrong = vi.fn();
    const other = await subscribed(async (handed) => handed.nack({ delayMs: -1 }).catch(wrong), { autoAck: false });
    other.deliver({ id: "2" });
    await turn();
    expect(wrong).toHaveBeenCalledWith(expect.objectContaining({ code: "ERR_INVALID_OPTION" }));
  });

  test("after the last attempt, a reject or a final error it is dead at once, with all that is known", async () => {
    const failures: Record<string, () => unknown> = {
      last: () => Promise.reject(new Error("fifth")),
      final: () => {
        throw new NonRetryableError("useless");
      },
    };
    const { deliver, clock } = await subscribed((delivery) =>
      delivery.id === "rejected"
        ? delivery.reject("because")
        : delivery.id === "broken"
          ? delivery.json()
          : failures[delivery.id]?.(),
    );
    const dead = (id: string, attempt = 1) => {
      const delivery = deliver({ id, attempt, body: "{" });
      return turn().then(() => delivery.outcomes);
    };
    const at = { firstAt: clock.now(), lastAt: clock.now(), to: "dlq.t" };
    expect(await dead("last", 5)).toEqual([{ kind: "dead", reason: "fifth", attempts: 5, ...at }]);
    expect(await dead("final")).toEqual([{ kind: "dead", reason: "useless", attempts: 1, ...at }]);
    expect(await dead("rejected", 2)).toEqual([{ kind: "dead", reason: "because", attempts: 2, ...at }]);
    expect(await dead("broken")).toMatchObject([
      { kind: "dead", reason: expect.stringContaining("not JSON"), attempts: 1 },
    ]);
  });

  test("a message that the driver cannot read, or whose attempts are spent, is dead without a handler start", async () => {
    const handler = vi.fn();
    const { deliver } = await subscribed(handler, { deadLetter: "elsewhere" });
    expect(deliver({ id: "1", broken: "no header" }).outcomes).toMatchObject([
      { kind: "dead", reason: "no header", attempts: 0, to: "elsewhere" },
    ]);
    expect(deliver({ id: "2", attempt: 6 }).outcomes).toMatchObject([
      { kind: "dead", reason: expect.stringContaining("no attempts are left"), attempts: 5 },
    ]);
    expect(handler).not.toHaveBeenCalled();
  });

  test("a dead letter that fails again stays a dead letter", async () => {
    const { deliver } = await subscribed((delivery) => delivery.reject("no"), { maxAttempts: 2 });
    const letter = deliver({ id: "1", topic: "dlq.t", attempt: 9 });
    await turn();
    expect(letter.outcomes).toMatchObject([{ kind: "retry", attempt: 10 }]);
  });

  test("a failing ack surfaces: to whoever awaits it, and to the error hook", async () => {
    const seen = vi.fn();
    const { request, errors } = await subscribed((delivery) =>
      delivery.id === "by hand" ? delivery.ack().catch(seen) : undefined,
    );
    for (const id of ["by hand", "alone"]) {
      const delivery = new ScriptedDelivery({ id });
      delivery.onSettle = () => Promise.reject(new Error("the channel is gone"));
      request.deliver(delivery);
    }
    await turn();
    expect(seen).toHaveBeenCalledWith(expect.objectContaining({ code: "ERR_DRIVER" }));
    expect(errors.map((error) => [error.code, error.message])).toEqual([
      ["ERR_DRIVER", "Settling message by hand on t failed: the channel is gone"],
      ["ERR_DRIVER", "Settling message alone on t failed: the channel is gone"],
    ]);
  });
});

describe("dead letters that are published", () => {
  const publish = { deadLetterMove: "publish" as const };

  test("are confirmed before the message is acked, with the message's own header and body", async () => {
    const { deliver, driver } = await subscribed(
      () => Promise.reject(new Error("why")),
      { maxAttempts: 1, queue: "q" },
      publish,
    );
    let confirm = () => {};
    driver.onPublish = (publication) => {
      confirm = () => publication.confirm("stored");
    };
    const delivery = deliver({ id: "1", body: "the body" });
    await turn();
    expect(delivery.outcomes).toEqual([]);
    expect(driver.published).toMatchObject([
      {
        topic: "dlq.t",
        id: "1",
        header: {
          "Tidings-Dead-Topic": "t",
          "Tidings-Dead-Queue": "q",
          "Tidings-Dead-Reason": "why",
          "Tidings-Dead-Attempts": "1",
        },
        origin: { pattern: "t", queue: "q" },
      },
    ]);
    confirm();
    await turn();
    expect(delivery.outcomes).toEqual([{ kind: "ack" }]);
  });

  test("a refused one keeps the message, and the next delivery writes it with the same reason and no handler start", async () => {
    const handler = vi.fn(() => Promise.reject(new Error("why")));
    const { deliver, driver, errors } = await subscribed(handler, { maxAttempts: 1, maxBackoffMs: 50 }, publish);
    driver.onPublish = (publication) => publication.fail(new BrokerError("ERR_DRIVER", "refused"));
    const first = deliver({ id: "1" });
    await turn();
    expect(first.outcomes).toMatchObject([{ kind: "retry", delayMs: 50, attempt: 2 }]);
    expect(errors.map((error) => error.code)).toContain("ERR_DEAD_LETTER");
    driver.onPublish = (publication) => publication.confirm("stored");
    const second = deliver({ id: "1", attempt: 2 });
    await turn();
    expect(second.outcomes).toEqual([{ kind: "ack" }]);
    expect(driver.published.at(-1)?.header["Tidings-Dead-Reason"]).toBe("why");
    expect(handler).toHaveBeenCalledTimes(1);
  });
});

describe("time", () => {
  test("a handler past its limit is aborted and nacked, keeps its slot, and can settle no more", async () => {
    const held: Delivery[] = [];
    const ends = deferred<void>();
    const { deliver, clock, errors } = await subscribed(
      (delivery) => {
        held.push(delivery);
        return ends.promise;
      },
      { concurrency: 1, prefetch: 2, ackTimeoutMs: 100 },
    );
    const [first, second] = [deliver({ id: "1" }), deliver({ id: "2" })];
    const signal = held[0]?.signal;
    await turn();
    clock.advance(99);
    expect([first.outcomes, signal?.aborted]).toEqual([[], false]);
    clock.advance(1);
    expect(first.outcomes).toMatchObject([{ kind: "retry", attempt: 2 }]);
    expect([signal?.aborted, held.length]).toEqual([true, 1]);
    await expect(held[0]?.ack()).rejects.toThrow(expect.objectContaining({ code: "ERR_STALE_DELIVERY" }));
    expect(() => held[0]?.extend(1)).toThrow(expect.objectContaining({ code: "ERR_STALE_DELIVERY" }));
    expect(errors[0]).toMatchObject({ code: "ERR_HANDLER_FAILED", message: expect.stringContaining("within 100 ms") });
    ends.resolve();
    await turn();
    expect([held.length, first.outcomes.length, second.outcomes]).toEqual([2, 1, [{ kind: "ack" }]]);
  });

  test("a signal read after the time is up is aborted already; extend gives more time", async () => {
    let held: Delivery | undefined;
    const { deliver, clock } = await subscribed(
      (delivery) => {
        held = delivery;
        return new Promise(() => {});
      },
      { ackTimeoutMs: 100 },
    );
    const delivery = deliver({ id: "1" });
    clock.advance(50);
    held?.extend(100);
    clock.advance(99);
    expect([delivery.outcomes, delivery.extended]).toEqual([[], [100]]);
    expect(() => held?.extend(0)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTION" }));
    clock.advance(1);
    expect(delivery.outcomes).toHaveLength(1);
    expect(held?.signal.aborted).toBe(true);
  });

  test("a handler's time counts from the end of the turn in which it started, also where another took long in that turn", async () => {
    const { deliver, clock } = await subscribed(
      ({ id }) => {
        if (id === "1") clock.advance(150);
        return new Promise(() => {});
      },
      { ackTimeoutMs: 100, concurrency: 3 },
    );
    const deliveries = ["0", "1", "2"].map((id) => deliver({ id }));
    const answered = () => deliveries.map(({ outcomes }) => outcomes.length);
    await turn();
    expect(answered()).toEqual([0, 0, 0]);
    clock.advance(99);
    expect(answered()).toEqual([0, 0, 0]);
    clock.advance(1);
    expect(answered()).toEqual([1, 1, 1]);
  });

  test("text and json read the body as the handler has it", async () => {
    const read: unknown[] = [];
    const { deliver } = await subscribed((delivery) => {
      read.push(delivery.text());
      delivery.message.body.set(Buffer.from("[2]"));
      read.push(delivery.text(), delivery.json());
    });
    const delivery = deliver({ id: "1", body: "[1]" });
    expect(read).toEqual(["[1]", "[2]", [2]]);
    // Who reads the message next gets it as it was.
    expect(Buffer.from(delivery.body).toString()).toBe("[1]");
  });

  test("a thenable that tells its end again and again ends one handler", async () => {
    const told: ((value?: unknown) => void)[] = [];
    const { deliver } = await subscribed(
      ({ id }) =>
        // biome-ignore lint/suspicious/noThenProperty: what a handler may return
        id === "1" ? { then: (tell: () => void) => void told.push(tell) } : new Promise(() => {}),
      { concurrency: 1, prefetch: 2 },
    );
    const [first, second] = [deliver({ id: "1" }), deliver({ id: "2" })];
    await turn();
    told[0]?.();
    await turn();
    told[0]?.();
    await turn();
    expect([first.outcomes, second.outcomes]).toEqual([[{ kind: "ack" }], []]);
  });

  test("a promise whose own then tells its end again and again ends one handler", async () => {
    const told: (() => void)[] = [];
    const { deliver } = await subscribed(
      ({ id }) => {
        if (id !== "1") return new Promise(() => {});
        const then = (tell: () => void) => {
          told.push(tell);
          tell();
        };
        return Object.assign(Promise.resolve(), { then });
      },
      { concurrency: 1, prefetch: 2 },
    );
    const [first, second] = [deliver({ id: "1" }), deliver({ id: "2" })];
    await turn();
    for (const tell of told) tell();
    await turn();
    expect([first.outcomes, second.outcomes]).toEqual([[{ kind: "ack" }], []]);
  });

  test("more time that a handler gets as another's is over counts, though its own was over as well", async () => {
    const held: Delivery[] = [];
    const { deliver, clock } = await subscribed(
      (delivery) => {
        held.push(delivery);
        return new Promise(() => {});
      },
      { ackTimeoutMs: 100, concurrency: 2 },
    );
    const deliveries = [deliver({ id: "1" }), deliver({ id: "2" })];
    held[0]?.signal.addEventListener("abort", () => held[1]?.extend(50));
    await turn();
    clock.advance(100);
    expect(deliveries.map(({ outcomes }) => outcomes.length)).toEqual([1, 0]);
    clock.advance(49);
    expect(held[1]?.signal.aborted).toBe(false);
    clock.advance(1);
    expect(deliveries.map(({ outcomes }) => outcomes.length)).toEqual([1, 1]);
  });
});

describe("order and flow", () => {
  test("handlers never exceed concurrency, and start in order", async () => {
    const started: string[] = [];
    const ends = Array.from({ length: 4 }, () => deferred<void>());
    const { deliver } = await subscribed(
      (delivery) => {
        started.push(delivery.id);
        return ends[Number(delivery.id)]?.promise;
      },
      { concurrency: 2, prefetch: 4 },
    );
    for (const id of ["0", "1", "2", "3"]) deliver({ id });
    expect(started).toEqual(["0", "1"]);
    ends[1]?.resolve();
    await turn();
    expect(started).toEqual(["0", "1", "2"]);
  });

  test("without autoAck the slot is taken until the message is settled", async () => {
    const held: Delivery[] = [];
    const { deliver } = await subscribed((delivery) => void held.push(delivery), {
      concurrency: 1,
      prefetch: 2,
      autoAck: false,
    });
    deliver({ id: "1" });
    deliver({ id: "2" });
    await turn();
    expect(held).toHaveLength(1);
    await held[0]?.ack();
    expect(held).toHaveLength(2);
  });

  test("by key: one at a time and in order, retries included, while other keys go on", async () => {
    const log: string[] = [];
    const { deliver, clock } = await subscribed(
      async (delivery) => {
        log.push(`${delivery.key}${delivery.id}#${delivery.attempt}`);
        if (delivery.id === "1" && delivery.key === "a" && delivery.attempt < 3) throw new Error("again");
      },
      { orderBy: "key", backoffMs: 100, maxBackoffMs: 100, maxAttempts: 5 },
    );
    const first = deliver({ id: "1", key: "a" });
    const second = deliver({ id: "2", key: "a" });
    deliver({ id: "1", key: "b" });
    deliver({ id: "2", key: "b" });
    await turn();
    expect(log).toEqual(["a1#1", "b1#1", "b2#1"]);
    expect([first.outcomes, first.extended.length, second.outcomes]).toEqual([[], 1, []]);
    clock.advance(120);
    await turn();
    clock.advance(120);
    await turn();
    expect(log).toEqual(["a1#1", "b1#1", "b2#1", "a1#2", "a1#3", "a2#1"]);
    expect([first.outcomes, second.outcomes]).toEqual([[{ kind: "ack" }], [{ kind: "ack" }]]);
  });

  test("by key: a timed-out handler holds its key until it ends, and its retry comes first", async () => {
    const ends = deferred<void>();
    const log: string[] = [];
    const { deliver, clock } = await subscribed(
      (delivery) => {
        log.push(`${delivery.id}#${delivery.attempt}`);
        return delivery.id === "1" && delivery.attempt === 1 ? ends.promise : undefined;
      },
      { orderBy: "key", ackTimeoutMs: 100, backoffMs: 10 },
    );
    deliver({ id: "1", key: "a" });
    deliver({ id: "2", key: "a" });
    await turn();
    clock.advance(200);
    expect(log).toEqual(["1#1"]);
    ends.resolve();
    await turn();
    expect(log).toEqual(["1#1", "1#2", "2#1"]);
  });
});

describe("draining", () => {
  test("nothing starts any more, what runs may finish, the rest goes back without an attempt", async () => {
    const ends = deferred<void>();
    const started: string[] = [];
    const { deliver, subscriber, driver } = await subscribed(
      (delivery) => {
        started.push(delivery.id);
        return ends.promise;
      },
      { concurrency: 1, prefetch: 3 },
    );
    const [running, waiting] = [deliver({ id: "1" }), deliver({ id: "2" })];
    const closing = subscriber.unsubscribe();
    await turn();
    expect([waiting.outcomes, running.outcomes, driver.stops, driver.closes]).toEqual([
      [{ kind: "release" }],
      [],
      1,
      0,
    ]);
    expect(deliver({ id: "3" }).outcomes).toEqual([{ kind: "release" }]);
    ends.resolve();
    await closing;
    await subscriber.unsubscribe();
    expect([running.outcomes, started, driver.closes]).toEqual([[{ kind: "ack" }], ["1"], 1]);
  });

  test("at the deadline what still runs is aborted and given back", async () => {
    let held: Delivery | undefined;
    const { deliver, subscriber, clock, driver } = await subscribed(
      (delivery) => {
        held = delivery;
        return new Promise(() => {});
      },
      { drainTimeoutMs: 100 },
    );
    const delivery = deliver({ id: "1", attempt: 3 });
    const signal = held?.signal;
    const closing = subscriber.unsubscribe();
    await turn();
    clock.advance(100);
    await closing;
    expect([delivery.outcomes, signal?.aborted, driver.closes, clock.timers]).toEqual([
      [{ kind: "release" }],
      true,
      1,
      0,
    ]);
    await expect(held?.ack()).rejects.toThrow(expect.objectContaining({ code: "ERR_STALE_DELIVERY" }));
  });

  test("by key: what waits for a local retry goes back with the attempts it has used", async () => {
    const { deliver, subscriber, clock } = await subscribed(() => Promise.reject(new Error("no")), {
      orderBy: "key",
      backoffMs: 1_000,
    });
    const [failed, behind] = [deliver({ id: "1", key: "a" }), deliver({ id: "2", key: "a" })];
    await turn();
    clock.advance(400);
    await subscriber.unsubscribe();
    expect(failed.outcomes).toMatchObject([{ kind: "retry", attempt: 2 }]);
    expect(failed.outcomes[0]?.kind === "retry" && failed.outcomes[0].delayMs).toBeLessThanOrEqual(800);
    expect(behind.outcomes).toEqual([{ kind: "release" }]);
  });

  test("what is not taken back is handled, though the driver has lost the subscription", async () => {
    const ends = deferred<void>();
    const { deliver, request, subscriber } = await subscribed(
      ({ id }) => (id === "1" ? ends.promise : undefined),
      { concurrency: 1, prefetch: 3 },
      { takesBack: false },
    );
    const deliveries = [deliver({ id: "1" }), deliver({ id: "2" }), deliver({ id: "3" })];
    request.onEnd(new BrokerError("ERR_AUTHENTICATION", "no longer allowed"));
    ends.resolve();
    await turn();
    await subscriber.unsubscribe();
    expect(deliveries.map(({ outcomes }) => outcomes)).toEqual(deliveries.map(() => [{ kind: "ack" }]));
  });

  test("a signal ends the subscription", async () => {
    const abort = new AbortController();
    const { driver } = await subscribed(() => {}, { signal: abort.signal });
    abort.abort();
    await vi.waitFor(() => expect(driver.closes).toBe(1));
    await expect(subscribed(() => {}, { signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
  });
});
