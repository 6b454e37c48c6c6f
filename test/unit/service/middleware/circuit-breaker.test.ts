import { beforeEach, describe, expect, test, vi } from "vitest";
import { BrokerError, isFinal, NonRetryableError } from "../../../../src/errors.ts";
import { deferred } from "../../../../src/internal/deferred.ts";
import { silentLogger } from "../../../../src/logger.ts";
import {
  type CircuitBreakerOptions,
  type CircuitChange,
  circuitBreaker,
} from "../../../../src/service/middleware/index.ts";
import { FakeClock } from "../../internal/fake-clock.ts";
import { failureOf, publishContext, subscribeContext } from "./contexts.ts";

let clock = new FakeClock();
let changes: CircuitChange[] = [];

beforeEach(() => {
  clock = new FakeClock();
  changes = [];
});

function make(options: CircuitBreakerOptions = {}) {
  const onChange = (change: CircuitChange) => void changes.push(change);
  const breaker = circuitBreaker({ failures: 3, resetMs: 1_000, logger: silentLogger, clock, onChange, ...options });
  const handle = (next: () => Promise<unknown>) => Promise.resolve(breaker.subscribe(subscribeContext(), next));
  const fail = (error: unknown = new Error("down")) => failureOf(handle(() => Promise.reject(error)));
  return { breaker, handle, fail, succeed: () => handle(async () => "done") };
}

const refused = () => expect.unreachable("an open circuit lets nothing through");

describe("circuitBreaker", () => {
  test("opens after failures in a row, and then refuses at once with a typed, retryable error", async () => {
    const { breaker, handle, fail, succeed } = make();
    await fail();
    await fail();
    expect(await succeed()).toBe("done");
    await fail();
    await fail();
    expect(breaker.state.subscribe).toBe("closed");
    const last = new Error("still down");
    expect(await fail(last)).toBe(last);
    expect(breaker.state).toMatchObject({ subscribe: "open", publish: "closed" });
    const error = await failureOf(handle(refused));
    expect(error).toMatchObject({
      code: "ERR_CIRCUIT_OPEN",
      retryable: true,
      scope: "message",
      topic: "orders.created",
    });
    expect(error).toMatchObject({ cause: last, message: expect.stringMatching(/open.*1000 ms.*still down/) });
    expect(isFinal(error)).toBe(false);
    expect(clock.timers).toBe(0);
  });

  test("lets one through after its time, and closes when that succeeds", async () => {
    const { breaker, handle, fail, succeed } = make();
    for (let count = 0; count < 3; count += 1) await fail();
    clock.advance(999);
    expect(await failureOf(handle(refused))).toMatchObject({ message: expect.stringContaining("is open") });
    clock.advance(1);
    const trial = deferred<string>();
    const run = handle(() => trial.promise);
    expect(breaker.state.subscribe).toBe("half-open");
    expect(await failureOf(handle(refused))).toMatchObject({ message: expect.stringContaining("half-open") });
    trial.resolve("better");
    expect(await run).toBe("better");
    expect(breaker.state.subscribe).toBe("closed");
    await fail();
    await fail();
    expect(await succeed()).toBe("done");
    expect(changes.map(({ from, to }) => `${from} ${to}`)).toEqual([
      "closed open",
      "open half-open",
      "half-open closed",
    ]);
    expect(changes[0]).toMatchObject({ side: "subscribe", error: new Error("down") });
    expect(changes[1]?.error).toBeUndefined();
  });

  test("stays open for as long again when the one fails", async () => {
    const { breaker, handle, fail, succeed } = make();
    for (let count = 0; count < 3; count += 1) await fail();
    clock.advance(1_000);
    await fail();
    expect(breaker.state.subscribe).toBe("open");
    clock.advance(999);
    expect(await failureOf(handle(refused))).toMatchObject({ message: expect.stringContaining("is open") });
    clock.advance(1);
    await succeed();
    expect(breaker.state.subscribe).toBe("closed");
  });

  test("tries another one when the first does not end in time, and then ignores what became of it", async () => {
    const { breaker, handle, fail, succeed } = make();
    for (let count = 0; count < 3; count += 1) await fail();
    clock.advance(1_000);
    const stuck = deferred<string>();
    const run = handle(() => stuck.promise);
    clock.advance(1_000);
    await fail();
    expect(breaker.state.subscribe).toBe("open");
    stuck.resolve("at last");
    expect(await run).toBe("at last");
    expect(breaker.state.subscribe).toBe("open");
    clock.advance(1_000);
    await succeed();
    expect(breaker.state.subscribe).toBe("closed");
  });

  test("what started before it opened has no say afterwards", async () => {
    const { breaker, handle, fail } = make();
    const early = deferred<string>();
    const bad = deferred<string>();
    const runs = [handle(() => early.promise), failureOf(handle(() => bad.promise))];
    for (let count = 0; count < 3; count += 1) await fail();
    clock.advance(500);
    bad.reject(new Error("down"));
    await runs[1];
    expect(breaker.state.subscribe).toBe("open");
    clock.advance(500);
    const trial = deferred<string>();
    const trying = handle(() => trial.promise);
    early.resolve("done");
    expect(await runs[0]).toBe("done");
    expect(breaker.state.subscribe).toBe("half-open");
    trial.resolve("done");
    await trying;
    expect(breaker.state.subscribe).toBe("closed");
  });

  test("errors that are a message's own fault decide nothing", async () => {
    const { breaker, fail, succeed } = make();
    const own = [
      new NonRetryableError("useless"),
      new BrokerError("ERR_INVALID_PAYLOAD", "no id"),
      new BrokerError("ERR_MESSAGE_TOO_LARGE", "big"),
    ];
    await fail();
    await fail();
    for (const error of own) expect(await fail(error)).toBe(error);
    expect(breaker.state.subscribe).toBe("closed");
    await fail(new BrokerError("ERR_CONNECTION_LOST", "gone"));
    expect(breaker.state.subscribe).toBe("open");
    clock.advance(1_000);
    await fail(own[0]);
    expect(breaker.state.subscribe).toBe("half-open");
    await succeed();
    expect(breaker.state.subscribe).toBe("closed");
  });

  test("asks `isFailure`", async () => {
    const isFailure = vi.fn((error: unknown) => String(error).includes("down"));
    const { breaker, fail } = make({ failures: 1, isFailure });
    await fail(new Error("odd"));
    expect(breaker.state.subscribe).toBe("closed");
    await fail();
    expect(breaker.state.subscribe).toBe("open");
  });

  test("guards publishing with a circuit of its own, and says what is wrong with the failure as its cause", async () => {
    const { breaker } = make({ failures: 1 });
    const publish = (next: () => Promise<never>) => failureOf(breaker.publish(publishContext(), next));
    const lost = new BrokerError("ERR_CONNECT_FAILED", "nobody there");
    expect(await publish(() => Promise.reject(lost))).toBe(lost);
    expect(breaker.state).toMatchObject({ subscribe: "closed", publish: "open" });
    expect(await publish(refused)).toMatchObject({
      code: "ERR_CIRCUIT_OPEN",
      retryable: true,
      scope: "message",
      cause: lost,
    });
    clock.advance(1_000);
    await publish(() => Promise.reject(new Error("odd")));
    expect(await publish(refused)).toMatchObject({ code: "ERR_CIRCUIT_OPEN", retryable: true });
    clock.advance(1_000);
    const receipt = { id: "id-1", state: "stored" } as const;
    expect(await breaker.publish(publishContext(), async () => receipt)).toBe(receipt);
  });

  test("logs changes; a hook that throws changes nothing", async () => {
    const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
    const onChange = () => {
      throw new Error("bad hook");
    };
    const { fail, succeed } = make({ failures: 1, logger, onChange });
    expect(await fail()).toMatchObject({ message: "down" });
    clock.advance(1_000);
    expect(await succeed()).toBe("done");
    expect(logger.warn.mock.calls.map(([, text]) => text)).toEqual([expect.stringContaining("open for 1000 ms: down")]);
    expect(logger.info.mock.calls.map(([, text]) => text)).toEqual([
      "The circuit of the subscribe side is half-open.",
      "The circuit of the subscribe side is closed.",
    ]);
    expect(logger.error).toHaveBeenCalledTimes(3);
  });

  test.each<CircuitBreakerOptions>([
    { failures: 0 },
    { resetMs: 0 },
    { resetMs: Number.POSITIVE_INFINITY },
    { isFailure: 1 as never },
  ])("refuses %o", (options) => {
    expect(() => circuitBreaker(options)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTION" }));
  });
});
