import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { BrokerError, NonRetryableError } from "../../../../src/errors.ts";
import { type RetryOptions, retry } from "../../../../src/service/middleware/index.ts";
import { FakeClock } from "../../internal/fake-clock.ts";
import { failureOf, subscribeContext, track, turn } from "./contexts.ts";

let clock = new FakeClock();

beforeEach(() => {
  clock = new FakeClock();
});

afterEach(() => {
  expect(clock.timers).toBe(0);
});

/** A handler that fails `times` times, then succeeds. */
function failing(times: number) {
  let calls = 0;
  return vi.fn(async () => {
    calls += 1;
    if (calls <= times) throw new Error(`call ${calls}`);
    return "done";
  });
}

describe("retry", () => {
  test("calls a handler that succeeds once, and passes its result", async () => {
    const handler = failing(0);
    expect(await retry({ clock })(subscribeContext(), handler)).toBe("done");
    expect(handler).toHaveBeenCalledTimes(1);
  });

  test("waits longer and longer, never less than asked and at most 20 % more", async () => {
    const handler = failing(3);
    const run = track(retry({ attempts: 4, backoffMs: 100, maxBackoffMs: 200, clock })(subscribeContext(), handler));
    let calls = 1;
    for (const delayMs of [100, 200, 200]) {
      await turn();
      clock.advance(delayMs - 1);
      await turn();
      expect(handler).toHaveBeenCalledTimes(calls);
      clock.advance(delayMs * 0.2 + 1);
      await turn();
      calls += 1;
      expect(handler).toHaveBeenCalledTimes(calls);
    }
    expect(run).toMatchObject({ state: "resolved", value: "done" });
  });

  test("passes the last error unchanged when the calls are used up", async () => {
    const handler = failing(9);
    const run = track(retry({ attempts: 3, backoffMs: 0, clock })(subscribeContext(), handler));
    for (let step = 0; step < 3; step += 1) {
      await turn();
      clock.advance(1);
    }
    await turn();
    expect(handler).toHaveBeenCalledTimes(3);
    expect(run).toMatchObject({ state: "rejected", value: { message: "call 3" } });
  });

  test.each([
    new NonRetryableError("useless"),
    new BrokerError("ERR_UNDECODABLE", "not JSON"),
    new BrokerError("ERR_INVALID_PAYLOAD", "no id"),
  ])("never calls again after a final error: %s", async (error) => {
    const when = vi.fn(() => true);
    const handler = vi.fn(() => Promise.reject(error));
    expect(await failureOf(retry({ when, clock })(subscribeContext(), handler))).toBe(error);
    expect(handler).toHaveBeenCalledTimes(1);
    expect(when).not.toHaveBeenCalled();
  });

  test("asks `when`", async () => {
    const when = vi.fn((_error: unknown, attempt: number) => attempt < 2);
    const handler = failing(9);
    const run = track(retry({ attempts: 9, backoffMs: 10, when, clock })(subscribeContext(), handler));
    await turn();
    clock.advance(12);
    await turn();
    expect(run).toMatchObject({ state: "rejected", value: { message: "call 2" } });
    expect(when.mock.calls.map(([error, attempt]) => [String(error), attempt])).toEqual([
      ["Error: call 1", 1],
      ["Error: call 2", 2],
    ]);
  });

  test("an aborted signal ends the wait with the handler's error", async () => {
    const outer = new AbortController();
    const handler = failing(9);
    const run = track(retry({ backoffMs: 1_000, clock })(subscribeContext({ signal: outer.signal }), handler));
    await turn();
    expect(clock.timers).toBe(1);
    outer.abort("time is up");
    await turn();
    expect(run).toMatchObject({ state: "rejected", value: { message: "call 1" } });
    expect(handler).toHaveBeenCalledTimes(1);
  });

  test("does not call again once the signal is aborted", async () => {
    const handler = failing(9);
    const context = subscribeContext({ signal: AbortSignal.abort() });
    expect(await failureOf(retry({ backoffMs: 0, clock })(context, handler))).toMatchObject({ message: "call 1" });
    expect(handler).toHaveBeenCalledTimes(1);
  });

  test("does not touch the signal of a message that goes well", async () => {
    const context = subscribeContext();
    Object.defineProperty(context, "signal", { get: () => expect.unreachable() });
    expect(await retry({ clock })(context, failing(0))).toBe("done");
  });

  test.each<RetryOptions>([
    { attempts: 0 },
    { attempts: 1.5 },
    { backoffMs: -1 },
    { maxBackoffMs: Number.NaN },
    { when: "always" as never },
    { times: 3 } as never,
  ])("refuses %o", (options) => {
    expect(() => retry(options)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTION" }));
  });
});
