import { describe, expect, onTestFinished, test } from "vitest";
import type { BrokerError } from "../../../src/errors.ts";
import { type CachedRegistry, type CacheOptions, cache } from "../../../src/registries/cache.ts";
import { local } from "../../../src/registries/local/index.ts";
import { memory } from "../../../src/registries/memory.ts";
import type { Registry } from "../../../src/registry.ts";
import { registryBehaviour } from "./behaviour.ts";
import { collect, FlakyRegistry, ids, ManualClock, service, settle, temporaryFolder } from "./helpers.ts";

function cached(registry: Registry, options?: CacheOptions): CachedRegistry {
  const wrapper = cache(registry, options);
  onTestFinished(() => wrapper.close());
  return wrapper;
}

registryBehaviour("cache of memory", async () => cached(memory()));
registryBehaviour("cache of local", async () => cached(local({ folder: await temporaryFolder() })));

interface Bench {
  readonly inner: Registry;
  readonly flaky: FlakyRegistry;
  readonly clock: ManualClock;
  readonly registry: CachedRegistry;
  readonly errors: BrokerError[];
}

function bench(): Bench {
  const inner = memory();
  const flaky = new FlakyRegistry(inner);
  const clock = new ManualClock();
  const errors: BrokerError[] = [];
  const registry = cached(flaky, { ttlMs: 10_000, clock, onError: (error) => errors.push(error) });
  return { inner, flaky, clock, registry, errors };
}

/** A bench whose watch stands. */
async function watchedBench(): Promise<Bench> {
  const made = bench();
  await collect(made.registry);
  return made;
}

test("is transparent", async () => {
  const { registry } = bench();
  expect(registry).toMatchObject({ name: "flaky", sharedWithGoMicro: true });
  expect(await registry.secret?.()).toBeUndefined();
  const secretive = local({ folder: await temporaryFolder() });
  expect(await cached(secretive).secret?.()).toEqual(await secretive.secret?.());
});

test.each([0, -1, Number.NaN])("refuses a TTL of %s", (ttlMs) => {
  expect(() => cache(memory(), { ttlMs })).toThrow(/ttlMs must be a positive number/);
});

describe("look-ups", () => {
  test("are served from memory, also empty ones, while the watch stands", async () => {
    const { inner, flaky, registry } = await watchedBench();
    await inner.register(service("orders", ["a"]));
    for (let count = 0; count < 5; count++) {
      expect(await ids(registry, "orders")).toEqual(["a"]);
      expect(await ids(registry, "nothing")).toEqual([]);
      expect(await registry.listServices()).toHaveLength(1);
    }
    expect(flaky.calls).toMatchObject({ getService: 2, listServices: 1 });
  });

  test("of one name at the same time are one", async () => {
    const { inner, flaky, registry } = await watchedBench();
    await inner.register(service("orders", ["a"]));
    const found = await Promise.all(Array.from({ length: 20 }, () => ids(registry, "orders")));
    expect(found).toEqual(Array.from({ length: 20 }, () => ["a"]));
    expect(flaky.calls.getService).toBe(1);
  });

  test("see what others register as soon as the watch tells of it", async () => {
    const { inner, registry } = await watchedBench();
    expect(await ids(registry, "orders")).toEqual([]);
    expect(await registry.listServices()).toEqual([]);
    await inner.register(service("orders", ["a"]));
    expect(await ids(registry, "orders")).toEqual(["a"]);
    expect(await registry.listServices()).toHaveLength(1);
    await inner.deregister(service("orders", ["a"]));
    expect(await ids(registry, "orders")).toEqual([]);
  });

  test("see what is registered through the cache, without any watch", async () => {
    const { flaky, registry } = bench();
    flaky.watchDown = true;
    await registry.register(service("orders", ["a"]));
    expect(await ids(registry, "orders")).toEqual(["a"]);
    await registry.register(service("orders", ["b"]));
    expect(await ids(registry, "orders")).toEqual(["a", "b"]);
    await registry.deregister(service("orders", ["a"]));
    expect(await ids(registry, "orders")).toEqual(["b"]);
  });

  test("do not join a question that was asked before the change", async () => {
    const { inner, flaky, registry } = await watchedBench();
    let open = (): void => {};
    flaky.gate = new Promise((resolve) => {
      open = resolve;
    });
    const before = ids(registry, "orders");
    await settle();
    await inner.register(service("orders", ["a"]));
    const after = ids(registry, "orders");
    await settle();
    open();
    expect(await before).toEqual([]);
    expect(await after).toEqual(["a"]);
    expect(await ids(registry, "orders")).toEqual(["a"]);
    expect(flaky.calls.getService).toBe(2);
  });

  test("never remember that there is nobody while the watch does not stand", async () => {
    const { inner, flaky, registry } = bench();
    flaky.watchDown = true;
    expect(await ids(registry, "orders")).toEqual([]);
    await inner.register(service("orders", ["a"]));
    expect(await ids(registry, "orders")).toEqual(["a"]);
  });

  test("are asked again after the TTL: in the background where the watch stands", async () => {
    const { inner, flaky, clock, registry } = await watchedBench();
    await inner.register(service("orders", ["a"]));
    await ids(registry, "orders");
    await clock.advance(10_001);
    expect(await ids(registry, "orders")).toEqual(["a"]);
    await settle();
    expect(flaky.calls.getService).toBe(2);
    await ids(registry, "orders");
    expect(flaky.calls.getService).toBe(2);
  });

  test("are asked again after the TTL, and waited for where no watch stands", async () => {
    const { inner, flaky, clock, registry } = bench();
    flaky.watchDown = true;
    await inner.register(service("orders", ["a"]));
    expect(await ids(registry, "orders")).toEqual(["a"]);
    await inner.register(service("orders", ["b"]));
    expect(await ids(registry, "orders")).toEqual(["a"]);
    await clock.advance(10_001);
    expect(await ids(registry, "orders")).toEqual(["a", "b"]);
  });

  test("keep at most 10,000 names", async () => {
    const { flaky, registry } = await watchedBench();
    for (let index = 0; index <= 10_000; index++) await registry.getService(`name-${index}`);
    await registry.getService("name-1");
    expect(flaky.calls.getService).toBe(10_001);
    await registry.getService("name-0");
    expect(flaky.calls.getService).toBe(10_002);
  });
});

describe("while the registry is down", () => {
  test("stale data are served, without asking each time, and the failure is reported", async () => {
    const { inner, flaky, clock, registry, errors } = await watchedBench();
    await inner.register(service("orders", ["a"]));
    await ids(registry, "orders");
    flaky.down = true;
    await inner.register(service("orders", ["b"]));
    for (let count = 0; count < 10; count++) expect(await ids(registry, "orders")).toEqual(["a"]);
    expect(flaky.calls.getService).toBe(2);
    expect(errors).toMatchObject([{ code: "ERR_REGISTRY", message: expect.stringContaining("registry is down") }]);
    flaky.down = false;
    await clock.advance(1_001);
    expect(await ids(registry, "orders")).toEqual(["a", "b"]);
  });

  test("a change is asked for at once, although the last question failed", async () => {
    const { inner, flaky, registry } = await watchedBench();
    await inner.register(service("orders", ["a"]));
    await ids(registry, "orders");
    flaky.down = true;
    await inner.register(service("orders", ["b"]));
    await ids(registry, "orders");
    flaky.down = false;
    await inner.register(service("orders", ["c"]));
    expect(await ids(registry, "orders")).toEqual(["a", "b", "c"]);
  });

  test("names that were never answered fail as the registry does", async () => {
    const { flaky, registry } = await watchedBench();
    flaky.down = true;
    await expect(registry.getService("orders")).rejects.toThrow("registry is down");
    await expect(registry.listServices()).rejects.toThrow("registry is down");
    await expect(registry.register(service("orders", ["a"]))).rejects.toThrow("registry is down");
    flaky.down = false;
    expect(await ids(registry, "orders")).toEqual([]);
  });
});

describe("the watch", () => {
  test("is one for all, opened by the first look-up", async () => {
    const { inner, flaky, registry } = bench();
    expect(flaky.calls.watch).toBe(0);
    await registry.getService("orders");
    const all = await collect(registry);
    const orders = await collect(registry, "orders");
    await inner.register(service("orders", ["a"]));
    await inner.register(service("invoices", ["x"]));
    expect(all).toEqual(["create orders@1 a", "create invoices@1 x"]);
    expect(orders).toEqual(["create orders@1 a"]);
    expect(flaky.calls.watch).toBe(1);
  });

  test("is attempted again after 1 s, 2 s, 4 s, and then everything is asked again", async () => {
    const { inner, flaky, clock, registry, errors } = bench();
    flaky.watchDown = true;
    await inner.register(service("orders", ["a"]));
    await ids(registry, "orders");
    await settle();
    const attempts: number[] = [];
    for (const second of [1_000, 1_000, 1_000, 3_999]) {
      await clock.advance(second);
      attempts.push(flaky.calls.watch);
    }
    expect(attempts).toEqual([2, 2, 3, 3]);
    expect(errors).toHaveLength(3);
    await inner.register(service("orders", ["b"]));
    flaky.watchDown = false;
    await clock.advance(1);
    expect(flaky.calls.watch).toBe(4);
    expect(await ids(registry, "orders")).toEqual(["a", "b"]);
    expect(clock.pending).toBe(0);
  });

  test("of a caller rejects when it cannot be opened, and works when it can", async () => {
    const { flaky, registry } = bench();
    flaky.watchDown = true;
    await expect(registry.watch(() => {})).rejects.toThrow("watch is down");
    flaky.watchDown = false;
    const heard = await collect(registry);
    await registry.register(service("orders", ["a"]));
    expect(heard).toEqual(["create orders@1 a"]);
  });
});

describe("close", () => {
  test("releases the watch, ends the callers' watches, and leaves the rest to the registry", async () => {
    const { inner, flaky, registry } = bench();
    const heard = await collect(registry);
    await ids(registry, "orders");
    expect(flaky.openWatches).toBe(1);
    registry.close();
    registry.close();
    expect(flaky.openWatches).toBe(0);
    await inner.register(service("orders", ["a"]));
    expect(heard).toEqual([]);
    expect(await ids(registry, "orders")).toEqual(["a"]);
    expect(await registry.listServices()).toHaveLength(1);
    await registry.deregister(service("orders", ["a"]));
    expect(await ids(registry, "orders")).toEqual([]);
    const later = await collect(registry);
    await registry.register(service("orders", ["b"]));
    expect(later).toEqual(["create orders@1 b"]);
  });

  test("while the watch is being opened leaves none open", async () => {
    const { flaky, registry } = bench();
    const looking = ids(registry, "orders");
    registry.close();
    await looking;
    await settle();
    expect(flaky.openWatches).toBe(0);
  });

  test("while the watch is being restored ends the attempts", async () => {
    const { flaky, clock, registry } = bench();
    flaky.watchDown = true;
    await ids(registry, "orders");
    await settle();
    expect(clock.pending).toBe(1);
    registry.close();
    expect(clock.pending).toBe(0);
  });
});
