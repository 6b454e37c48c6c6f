import { beforeEach, describe, expect, test, vi } from "vitest";
import { NonRetryableError } from "../../../../src/errors.ts";
import { deferred } from "../../../../src/internal/deferred.ts";
import {
  type DedupeOptions,
  type DedupeStore,
  dedupe,
  memoryDedupeStore,
} from "../../../../src/service/middleware/index.ts";
import { FakeClock } from "../../internal/fake-clock.ts";
import { failureOf, subscribeContext } from "./contexts.ts";

let clock = new FakeClock();

beforeEach(() => {
  clock = new FakeClock();
});

const handler = () => vi.fn(async () => "done");

describe("dedupe", () => {
  test("handles a message once: a duplicate is acked without its handler", async () => {
    const run = dedupe({ clock });
    const handle = handler();
    expect(await run(subscribeContext(), handle)).toBe("done");
    expect(await run(subscribeContext({ attempt: 2 }), handle)).toBeUndefined();
    expect(handle).toHaveBeenCalledTimes(1);
  });

  test.each([{ id: "id-2" }, { topic: "orders.paid" }, { subscription: "audit on orders.created" }])(
    "tells messages apart: %o is another one",
    async (other) => {
      const run = dedupe({ clock });
      const handle = handler();
      await run(subscribeContext(), handle);
      await run(subscribeContext(other), handle);
      expect(handle).toHaveBeenCalledTimes(2);
      await run(subscribeContext(other), handle);
      expect(handle).toHaveBeenCalledTimes(2);
    },
  );

  test("takes names apart that look alike when joined", async () => {
    const run = dedupe({ clock });
    const handle = handler();
    await run(subscribeContext({ topic: "a", id: 'b","c' }), handle);
    await run(subscribeContext({ topic: 'a","b', id: "c" }), handle);
    expect(handle).toHaveBeenCalledTimes(2);
  });

  test("a duplicate that comes while the first runs fails, so that it comes again", async () => {
    const run = dedupe({ clock });
    const first = deferred<string>();
    const running = run(subscribeContext(), () => first.promise);
    expect(await failureOf(run(subscribeContext(), () => expect.unreachable()))).toMatchObject({
      code: "ERR_HANDLER_FAILED",
      retryable: true,
      topic: "orders.created",
    });
    first.resolve("done");
    expect(await running).toBe("done");
    expect(await run(subscribeContext(), () => expect.unreachable())).toBeUndefined();
  });

  test.each([new Error("no"), new NonRetryableError("useless")])(
    "a message that failed with %s may be handled again",
    async (error) => {
      const run = dedupe({ clock });
      const handle = handler();
      expect(await failureOf(run(subscribeContext(), () => Promise.reject(error)))).toBe(error);
      expect(await run(subscribeContext(), handle)).toBe("done");
    },
  );

  test("forgets what was handled after ttlMs, and the claim of a process that died after claimTtlMs", async () => {
    const store = memoryDedupeStore({ clock });
    const run = dedupe({ store, ttlMs: 1_000, claimTtlMs: 100 });
    const handle = handler();
    await run(subscribeContext(), handle);
    clock.advance(999);
    await run(subscribeContext(), handle);
    expect(handle).toHaveBeenCalledTimes(1);
    clock.advance(1);
    void run(subscribeContext(), () => new Promise(() => {}));
    expect(store.claims).toBe(1);
    clock.advance(99);
    await failureOf(run(subscribeContext(), handle));
    clock.advance(1);
    expect(await run(subscribeContext(), handle)).toBe("done");
  });

  test("an expired claim whose handler lives does no harm to the next one", async () => {
    const run = dedupe({ claimTtlMs: 100, clock });
    const slow = deferred<string>();
    const next = deferred<string>();
    const one = failureOf(run(subscribeContext(), () => slow.promise));
    clock.advance(100);
    const two = run(subscribeContext(), () => next.promise);
    slow.reject(new Error("late"));
    await one;
    expect(await failureOf(run(subscribeContext(), () => expect.unreachable()))).toMatchObject({
      code: "ERR_HANDLER_FAILED",
    });
    next.resolve("done");
    expect(await two).toBe("done");
  });

  test("the options bound the memory store", async () => {
    const run = dedupe({ maxEntries: 1, clock });
    const handle = handler();
    for (const id of ["a", "b", "a"]) await run(subscribeContext({ id }), handle);
    expect(handle).toHaveBeenCalledTimes(3);
  });

  test("does not run the handler when the store cannot be asked, or answers nonsense", async () => {
    const down = new Error("down");
    const store = { claim: () => Promise.reject(down), confirm: () => {}, release: () => {} };
    expect(await failureOf(dedupe({ store })(subscribeContext(), () => expect.unreachable()))).toMatchObject({
      code: "ERR_HANDLER_FAILED",
      retryable: true,
      cause: down,
    });
    const odd = { ...store, claim: () => "OK" as never };
    expect(await failureOf(dedupe({ store: odd })(subscribeContext(), () => expect.unreachable()))).toMatchObject({
      code: "ERR_HANDLER_FAILED",
    });
  });

  test("a store that fails afterwards changes neither result nor error, and is logged", async () => {
    const warn = vi.fn();
    const logger = { debug: () => {}, info: () => {}, error: () => {}, warn };
    const down = () => {
      throw new Error("down");
    };
    const store: DedupeStore = {
      claim: () => "claimed",
      confirm: down,
      release: () => Promise.reject(new Error("down")),
    };
    const run = dedupe({ store, logger });
    expect(await run(subscribeContext(), async () => "done")).toBe("done");
    const error = new Error("no");
    expect(await failureOf(run(subscribeContext(), () => Promise.reject(error)))).toBe(error);
    expect(warn.mock.calls.map(([, text]) => text)).toEqual([
      "The dedupe store could not confirm message id-1 on orders.created: down",
      "The dedupe store could not release message id-1 on orders.created: down",
    ]);
  });

  test("passes a key, a token of its own and the TTLs to a shared store", async () => {
    const store = {
      claim: vi.fn(async () => "claimed" as const),
      confirm: vi.fn(async () => {}),
      release: vi.fn(async () => {}),
    };
    const run = dedupe({ store, ttlMs: 5, claimTtlMs: 7 });
    await run(subscribeContext(), async () => undefined);
    await failureOf(run(subscribeContext(), () => Promise.reject(new Error("no"))));
    const calls = store.claim.mock.calls as unknown as [string, string, number][];
    expect(calls.map(([key, , ttlMs]) => [key, ttlMs])).toEqual(
      Array(2).fill(['["billing on orders.created","orders.created","id-1"]', 7]),
    );
    const [[key, one], [, two]] = calls as unknown as [[string, string], [string, string]];
    expect(one).not.toBe(two);
    expect(store.confirm.mock.calls).toEqual([[key, one, 5]]);
    expect(store.release.mock.calls).toEqual([[key, two]]);
  });

  test.each<DedupeOptions>([
    { ttlMs: 0 },
    { claimTtlMs: Number.POSITIVE_INFINITY },
    { maxEntries: 0 },
    { store: {} as never },
    { store: null as never },
    { store: memoryDedupeStore(), maxEntries: 5 },
  ])("refuses %o", (options) => {
    expect(() => dedupe(options)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTION" }));
  });
});
