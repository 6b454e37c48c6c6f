import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deferred } from "../../../../src/internal/deferred.ts";
import { timeout } from "../../../../src/service/middleware/index.ts";
import { FakeClock } from "../../internal/fake-clock.ts";
import { failureOf, subscribeContext, track, turn } from "./contexts.ts";

const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);
let clock = new FakeClock();

beforeEach(() => {
  clock = new FakeClock();
  unhandled.length = 0;
  process.on("unhandledRejection", note);
});

afterEach(() => {
  process.off("unhandledRejection", note);
  expect(clock.timers).toBe(0);
  expect(unhandled).toEqual([]);
});

describe("timeout", () => {
  test("passes results and errors of handlers in time unchanged, and restores the signal", async () => {
    const context = subscribeContext();
    const outer = context.signal;
    const error = new Error("no");
    const run = timeout(100, { clock });
    const answer = <Answer>(given: Answer): Answer => {
      expect(context.signal).not.toBe(outer);
      return given;
    };
    expect(await run(context, async () => answer("done"))).toBe("done");
    expect(context.signal).toBe(outer);
    expect(await failureOf(run(context, () => answer(Promise.reject(error))))).toBe(error);
    expect(context.signal).toBe(outer);
    expect(getEventListeners(outer, "abort")).toEqual([]);
    clock.advance(100);
    expect(outer.aborted).toBe(false);
  });

  test("aborts the signal and throws the same typed error when the handler is late", async () => {
    const context = subscribeContext();
    const outer = context.signal;
    const handler = deferred<string>();
    let inner: AbortSignal | undefined;
    const run = timeout(100, { clock })(context, () => {
      inner = context.signal;
      return handler.promise;
    });
    clock.advance(99);
    expect(inner?.aborted).toBe(false);
    clock.advance(1);
    const error = await failureOf(run);
    expect(error).toMatchObject({ code: "ERR_HANDLER_FAILED", retryable: true, topic: "orders.created" });
    expect(String(error)).toContain("100 ms");
    expect(inner?.reason).toBe(error);
    expect(outer.aborted).toBe(false);
    expect(context.signal).toBe(outer);
  });

  test.each(["resolves", "rejects"])("ignores what comes late and %s", async (how) => {
    const handler = deferred<string>();
    const run = timeout(100, { clock })(subscribeContext(), () => handler.promise);
    clock.advance(100);
    await failureOf(run);
    if (how === "resolves") handler.resolve("late");
    else handler.reject(new Error("late"));
    await turn();
  });

  test("a handler that returns because it was aborted is late all the same", async () => {
    const context = subscribeContext();
    const run = timeout(100, { clock })(
      context,
      () => new Promise((resolve) => context.signal.addEventListener("abort", resolve)),
    );
    clock.advance(100);
    expect(await failureOf(run)).toMatchObject({ code: "ERR_HANDLER_FAILED" });
  });

  test("follows the outer signal, and leaves the decision to whoever aborted it", async () => {
    const outer = new AbortController();
    const context = subscribeContext({ signal: outer.signal });
    const handler = deferred<string>();
    let inner: AbortSignal | undefined;
    const run = track(
      timeout(100, { clock })(context, () => {
        inner = context.signal;
        return handler.promise;
      }),
    );
    outer.abort("drained");
    expect(inner?.reason).toBe("drained");
    clock.advance(1_000);
    await turn();
    expect(run.state).toBe("pending");
    handler.resolve("finished");
    await turn();
    expect(run).toMatchObject({ state: "resolved", value: "finished" });
  });

  test("starts aborted when the outer signal is", async () => {
    const context = subscribeContext({ signal: AbortSignal.abort("gone") });
    expect(await timeout(100, { clock })(context, async () => context.signal.reason)).toBe("gone");
  });

  test("an inner one that ends late leaves the signal of the next run alone", async () => {
    const context = subscribeContext();
    const first = deferred<void>();
    const second = deferred<void>();
    const outer = timeout(50, { clock });
    const inner = timeout(80, { clock });
    const one = outer(context, async () => inner(context, () => first.promise));
    clock.advance(50);
    await failureOf(one);
    const two = outer(context, async () => inner(context, () => second.promise));
    const signal = context.signal;
    first.resolve();
    await turn();
    expect(context.signal).toBe(signal);
    second.resolve();
    await two;
  });

  test("refuses limits that are none", () => {
    for (const ms of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, "5", undefined]) {
      expect(() => timeout(ms as number)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTION" }));
    }
    expect(() => timeout(5, { after: 1 } as never)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTION" }));
  });
});
