import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type RateLimitOptions, rateLimit } from "../../../../src/service/middleware/index.ts";
import { TokenBucket } from "../../../../src/service/middleware/token-bucket.ts";
import { FakeClock } from "../../internal/fake-clock.ts";
import { failureOf, publishContext, subscribeContext, track, turn } from "./contexts.ts";

let clock = new FakeClock();

beforeEach(() => {
  clock = new FakeClock();
});

afterEach(() => {
  expect(clock.timers).toBe(0);
});

describe("rateLimit", () => {
  test("lets a burst through, then one at a time, in order, and passes results", async () => {
    const limit = rateLimit({ perSecond: 10, burst: 2, clock });
    const passed: number[] = [];
    const runs = [1, 2, 3, 4].map((number) =>
      track(
        limit.subscribe(subscribeContext(), async () => {
          passed.push(number);
          return number;
        }),
      ),
    );
    await turn();
    expect(passed).toEqual([1, 2]);
    clock.advance(99);
    await turn();
    expect(passed).toEqual([1, 2]);
    clock.advance(1);
    await turn();
    expect(passed).toEqual([1, 2, 3]);
    clock.advance(100);
    await turn();
    expect(runs.map((run) => run.value)).toEqual([1, 2, 3, 4]);
  });

  test("passes errors unchanged, and gives each side a bucket of its own", async () => {
    const limit = rateLimit({ perSecond: 1, clock });
    const error = new Error("no");
    expect(await failureOf(limit.subscribe(subscribeContext(), () => Promise.reject(error)))).toBe(error);
    const receipt = { id: "id-1", state: "accepted" } as const;
    expect(await limit.publish(publishContext(), async () => receipt)).toBe(receipt);
    const third = track(limit.publish(publishContext(), async () => receipt));
    await turn();
    expect(third.state).toBe("pending");
    clock.advance(1_000);
    await turn();
    expect(third.value).toBe(receipt);
  });

  test("a signal ends the wait with its reason, and the place in the line is free", async () => {
    const limit = rateLimit({ perSecond: 1, burst: 1, clock });
    await limit.publish(publishContext(), async () => ({ id: "", state: "sent" }));
    const leaves = new AbortController();
    const first = track(limit.publish(publishContext({ signal: leaves.signal }), () => expect.unreachable()));
    const second = track(limit.publish(publishContext(), async () => ({ id: "2", state: "sent" })));
    await turn();
    leaves.abort("enough");
    await turn();
    expect(first).toMatchObject({ state: "rejected", value: "enough" });
    clock.advance(1_000);
    await turn();
    expect(second.state).toBe("resolved");
  });

  test("leaves no timer when everybody who waited has left", async () => {
    const limit = rateLimit({ perSecond: 1, burst: 1, clock });
    await limit.subscribe(subscribeContext(), async () => undefined);
    const leaves = new AbortController();
    const waits = limit.subscribe(subscribeContext({ signal: leaves.signal }), () => expect.unreachable());
    leaves.abort(new Error("drained"));
    expect(await failureOf(waits)).toBe(leaves.signal.reason);
    expect(clock.timers).toBe(0);
  });

  test("who need not wait needs no signal; who comes aborted does not wait", async () => {
    const limit = rateLimit({ perSecond: 1, burst: 1, clock });
    const context = subscribeContext();
    Object.defineProperty(context, "signal", { get: () => expect.unreachable() });
    await limit.subscribe(context, async () => undefined);
    const aborted = subscribeContext({ signal: AbortSignal.abort("gone") });
    expect(await failureOf(limit.subscribe(aborted, () => expect.unreachable()))).toBe("gone");
  });

  test.each<unknown>([
    undefined,
    {},
    { perSecond: 0 },
    { perSecond: Number.POSITIVE_INFINITY },
    { perSecond: 1, burst: 0 },
  ])("refuses %o", (options) => {
    expect(() => rateLimit(options as RateLimitOptions)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_OPTION" }),
    );
  });
});

describe("a token bucket", () => {
  const step = fc.oneof(
    fc.record({ call: fc.constant("come" as const), ms: fc.constant(0) }),
    fc.record({ call: fc.constant("leave" as const), ms: fc.nat(5) }),
    fc.record({ call: fc.constant("pass" as const), ms: fc.nat(700) }),
  );
  const rates = fc.oneof(fc.integer({ min: 1, max: 2_000 }), fc.double({ min: 0.5, max: 50, noNaN: true }));

  test("never lets through more than burst + rate * time, wastes nothing, and serves in order", async () => {
    await fc.assert(
      fc.asyncProperty(
        rates,
        fc.integer({ min: 1, max: 8 }),
        fc.array(step, { maxLength: 60 }),
        async (perSecond, burst, steps) => {
          const time = new FakeClock();
          const bucket = new TokenBucket(perSecond, burst, time);
          const passedAt: number[] = [];
          const order: number[] = [];
          const waiting: { number: number; leave: AbortController }[] = [];
          let number = 0;
          const pass = (which: number) => {
            passedAt.push(time.now());
            order.push(which);
          };
          for (const { call, ms } of steps) {
            if (call === "come") {
              const mine = number++;
              const leave = new AbortController();
              if (bucket.tryTake()) pass(mine);
              else {
                waiting.push({ number: mine, leave });
                bucket.take(leave.signal).then(
                  () => pass(mine),
                  (reason) => expect(reason).toBe("left"),
                );
              }
            } else if (call === "leave") waiting[ms]?.leave.abort("left");
            else {
              // In small steps, so that what passed can say when.
              for (let at = 0; at < ms; at += 1) {
                time.advance(1);
                await Promise.resolve();
              }
            }
            await turn();
          }
          for (const [from, start] of passedAt.entries()) {
            for (let to = from; to < passedAt.length; to += 1) {
              const spanMs = (passedAt[to] ?? 0) - start;
              expect(to - from + 1).toBeLessThanOrEqual(burst + (perSecond * spanMs) / 1_000 + 1e-6);
            }
          }
          expect(order).toEqual([...order].sort((a, b) => a - b));
          time.advance(1 + Math.ceil((1_000 * (number + 1)) / perSecond));
          await turn();
          expect(bucket.waiting).toBe(0);
          expect(time.timers).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("nobody overtakes who waits, not even when a token is there before the timer", async () => {
    const bucket = new TokenBucket(3, 1, clock);
    expect(bucket.tryTake()).toBe(true);
    const waits = track(bucket.take(undefined));
    clock.advance(333.5);
    expect(bucket.tryTake()).toBe(false);
    clock.advance(0.5);
    await turn();
    expect(waits.state).toBe("resolved");
  });

  test("a clock that is set back stops nothing", async () => {
    const bucket = new TokenBucket(10, 1, clock);
    expect(bucket.tryTake()).toBe(true);
    const now = clock.now.bind(clock);
    clock.now = () => now() - 60_000;
    const waits = track(bucket.take(undefined));
    clock.advance(200);
    await turn();
    expect(waits.state).toBe("resolved");
  });
});
