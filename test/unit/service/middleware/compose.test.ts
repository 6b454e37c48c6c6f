import { describe, expect, test } from "vitest";
import { silentLogger } from "../../../../src/logger.ts";
import {
  circuitBreaker,
  dedupe,
  logging,
  rateLimit,
  retry,
  timeout,
  validate,
} from "../../../../src/service/middleware/index.ts";
import { compose, type SubscribeContext, type SubscribeMiddleware } from "../../../../src/service/middleware.ts";
import { FakeClock } from "../../internal/fake-clock.ts";
import { failureOf, publishContext, subscribeContext, track, turn } from "./contexts.ts";

const around =
  (name: string, calls: string[]): SubscribeMiddleware =>
  async (_context, next) => {
    calls.push(`${name} in`);
    try {
      return await next();
    } finally {
      calls.push(`${name} out`);
    }
  };

describe("compose", () => {
  test("runs the first outermost, for every message again", async () => {
    const calls: string[] = [];
    const run = compose([around("a", calls), around("b", calls)], async (context: SubscribeContext) => {
      calls.push(context.id);
      return "done";
    });
    const once = ["a in", "b in", "id-1", "b out", "a out"];
    expect(await run(subscribeContext())).toBe("done");
    expect(await run(subscribeContext())).toBe("done");
    expect(calls).toEqual([...once, ...once]);
  });

  test("without middleware is the handler itself", async () => {
    const last = async () => "done";
    expect(compose([], last)).toBe(last);
  });

  test("what does not call next skips what is inside; what throws at once rejects", async () => {
    const inside = () => expect.unreachable();
    expect(await compose<SubscribeContext, unknown>([() => "skipped"], inside)(subscribeContext())).toBe("skipped");
    const error = new Error("no");
    const throws = () => {
      throw error;
    };
    expect(await failureOf(compose<SubscribeContext, unknown>([throws], inside)(subscribeContext()))).toBe(error);
  });
});

describe("all middleware together", () => {
  const chain = (clock: FakeClock) => {
    const both = [
      logging({ logger: silentLogger, clock }),
      validate(() => undefined),
      circuitBreaker({ logger: silentLogger, clock }),
      rateLimit({ perSecond: 1_000, clock }),
    ];
    const handling: SubscribeMiddleware[] = [
      timeout(5_000, { clock }),
      dedupe({ clock }),
      ...both.map(({ subscribe }) => subscribe),
      retry({ attempts: 2, backoffMs: 100, clock }),
    ];
    return { handling, publishing: both.map(({ publish }) => publish) };
  };

  test("pass results and errors unchanged, and leave no timer", async () => {
    const clock = new FakeClock();
    const { handling, publishing } = chain(clock);
    const result = { any: "object" };
    expect(await compose(handling, async () => result)(subscribeContext({ id: "good" }))).toBe(result);
    const receipt = { id: "id-1", state: "accepted" } as const;
    expect(await compose(publishing, async () => receipt)(publishContext())).toBe(receipt);

    const error = new Error("no");
    const failing = track(
      compose<SubscribeContext, unknown>(handling, () => Promise.reject(error))(subscribeContext()),
    );
    await turn();
    clock.advance(120);
    await turn();
    expect(failing.value).toBe(error);
    expect(await failureOf(compose(publishing, () => Promise.reject(error))(publishContext()))).toBe(error);
    expect(clock.timers).toBe(0);
  });

  test("a limit outside a retry ends its wait", async () => {
    const clock = new FakeClock();
    const run = compose<SubscribeContext, unknown>([timeout(50, { clock }), retry({ backoffMs: 1_000, clock })], () =>
      Promise.reject(new Error("no")),
    )(subscribeContext());
    await turn();
    clock.advance(50);
    expect(await failureOf(run)).toMatchObject({
      code: "ERR_HANDLER_FAILED",
      message: expect.stringContaining("50 ms"),
    });
    await turn();
    expect(clock.timers).toBe(0);
  });

  test("a limit inside a retry is one for each call", async () => {
    const clock = new FakeClock();
    let calls = 0;
    const context = subscribeContext();
    const run = compose<SubscribeContext, unknown>([retry({ backoffMs: 10, clock }), timeout(50, { clock })], () => {
      calls += 1;
      expect(context.signal.aborted).toBe(false);
      return calls < 2 ? new Promise(() => {}) : Promise.resolve("done");
    })(context);
    await turn();
    clock.advance(50);
    await turn();
    clock.advance(12);
    expect(await run).toBe("done");
    expect(clock.timers).toBe(0);
  });
});
