import { expect, test, vi } from "vitest";
import { memory } from "../../../src/registries/memory.ts";
import { registryBehaviour } from "./behaviour.ts";
import { collect, ids, service } from "./helpers.ts";

registryBehaviour("memory", async () => memory());

test("is private to those who have the object", async () => {
  const registry = memory();
  await registry.register(service("orders", ["a"]));
  expect(await ids(memory(), "orders")).toEqual([]);
  expect(await ids(registry, "orders")).toEqual(["a"]);
});

test("is not for go-micro, and has a secret of its own", async () => {
  const registry = memory();
  expect(registry).toMatchObject({ name: "memory", sharedWithGoMicro: false });
  expect(await registry.secret?.()).toHaveLength(32);
  expect(await registry.secret?.()).toEqual(await registry.secret?.());
  expect(await registry.secret?.()).not.toEqual(await memory().secret?.());
});

test("tells of changes before the call resolves", async () => {
  const registry = memory();
  const heard = await collect(registry);
  await registry.register(service("orders", ["a"]));
  expect(heard).toEqual(["create orders@1 a"]);
});

test("tells of an expiry once, however the time passes", async () => {
  vi.useFakeTimers();
  try {
    const registry = memory();
    const heard = await collect(registry);
    await registry.register(service("orders", ["a", "b"]), { ttlMs: 1_000 });
    await registry.register(service("orders", ["b"]), { ttlMs: 2_000 });
    // The clock runs ahead of the timers, as it does in a busy process.
    const now = performance.now.bind(performance);
    vi.spyOn(performance, "now").mockImplementation(() => now() + 1_000);
    expect(await ids(registry, "orders")).toEqual(["b"]);
    await registry.register(service("orders", ["c"]), { ttlMs: 5_000 });
    vi.advanceTimersByTime(2_500);
    expect(heard).toEqual(["create orders@1 a,b", "delete orders@1 a", "create orders@1 c", "delete orders@1 b"]);
    vi.advanceTimersByTime(5_000);
    expect(heard.slice(4)).toEqual(["delete orders@1 c"]);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("a listener that throws does not keep others from hearing, nor the call from succeeding", async () => {
  const registry = memory();
  const thrown: unknown[] = [];
  const later = vi.spyOn(globalThis, "queueMicrotask").mockImplementation((run) => {
    try {
      run();
    } catch (error) {
      thrown.push(error);
    }
  });
  try {
    const watcher = await registry.watch(() => {
      throw new Error("broken listener");
    });
    const heard = await collect(registry);
    await registry.register(service("orders", ["a"]));
    watcher.close();
    expect(heard).toEqual(["create orders@1 a"]);
    expect(thrown).toMatchObject([{ message: "broken listener" }]);
  } finally {
    later.mockRestore();
  }
});

test("a listener may close another watch and register more", async () => {
  const registry = memory();
  const heard: string[] = [];
  const first = await registry.watch((event) => {
    second.close();
    if (event.service.name === "orders") void registry.register(service("invoices", ["x"]));
    heard.push(event.service.name);
  });
  const second = await registry.watch(() => heard.push("closed"));
  await registry.register(service("orders", ["a"]));
  first.close();
  expect(heard.sort()).toEqual(["invoices", "orders"]);
});
