import { describe, expect, test } from "vitest";
import type { BrokerError } from "../../../src/errors.ts";
import {
  type KeepRegisteredOptions,
  keepRegistered,
  type Registration,
} from "../../../src/registries/keep-registered.ts";
import { memory } from "../../../src/registries/memory.ts";
import type { RegisterOptions, Registry } from "../../../src/registry.ts";
import { expectRefusal, FlakyRegistry, ids, ManualClock, service } from "./helpers.ts";

interface Bench {
  readonly flaky: FlakyRegistry;
  readonly clock: ManualClock;
  readonly errors: BrokerError[];
  start(options?: Partial<KeepRegisteredOptions>): Promise<Registration>;
}

function bench(): Bench {
  const flaky = new FlakyRegistry(memory());
  const clock = new ManualClock();
  const errors: BrokerError[] = [];
  const onError = (error: BrokerError): void => {
    errors.push(error);
  };
  return {
    flaky,
    clock,
    errors,
    start: (options) => keepRegistered(flaky, service("orders", ["a", "b"]), { clock, onError, ...options }),
  };
}

test("registers now, and again every 30 s for 60 s each", async () => {
  const { flaky, clock, start } = bench();
  const options: (RegisterOptions | undefined)[] = [];
  const register = flaky.register.bind(flaky);
  flaky.register = async (...args) => {
    options.push(args[1]);
    await register(...args);
  };
  const registration = await start();
  expect(await ids(flaky, "orders")).toEqual(["a", "b"]);
  await clock.advance(29_999);
  expect(flaky.calls.register).toBe(1);
  await clock.advance(1);
  expect(flaky.calls.register).toBe(2);
  await clock.advance(90_000);
  expect(flaky.calls.register).toBe(5);
  expect(options[0]).toEqual({ ttlMs: 60_000, standing: false });
  await registration.stop();
});

test("stop deregisters, once, and nothing runs after it", async () => {
  const { flaky, clock, start } = bench();
  const registration = await start();
  await Promise.all([registration.stop(), registration.stop()]);
  await registration.stop();
  expect(flaky.calls.deregister).toBe(1);
  expect(await ids(flaky, "orders")).toEqual([]);
  expect(clock.pending).toBe(0);
  await expectRefusal(registration.update(service("orders", ["a"])), /has been stopped/);
});

test("a standing record is left to its TTL", async () => {
  const { flaky, clock, start } = bench();
  const registration = await start({ standing: true });
  await registration.stop();
  expect(flaky.calls.deregister).toBe(0);
  expect(await ids(flaky, "orders")).toEqual(["a", "b"]);
  expect(clock.pending).toBe(0);
});

test("stop waits for an attempt that is under way", async () => {
  const { flaky, clock, start } = bench();
  const registration = await start();
  let finish = (): void => {};
  const register = flaky.register.bind(flaky);
  flaky.register = async (...args) => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    await register(...args);
  };
  await clock.advance(30_000);
  const stopped = registration.stop();
  finish();
  await stopped;
  expect(await ids(flaky, "orders")).toEqual([]);
  expect(clock.pending).toBe(0);
});

describe("when the registry fails", () => {
  test("at first, the call rejects and nothing is left running", async () => {
    const { flaky, clock, start, errors } = bench();
    flaky.down = true;
    await expect(start()).rejects.toThrow("registry is down");
    expect(clock.pending).toBe(0);
    expect(errors).toEqual([]);
  });

  test("later, it is reported, and tried again after 1 s, doubled up to the interval", async () => {
    const { flaky, clock, start, errors } = bench();
    const registration = await start({ intervalMs: 5_000 });
    flaky.down = true;
    const attempts: number[] = [];
    for (const delayMs of [5_000, 1_000, 2_000, 4_000, 5_000, 5_000]) {
      await clock.advance(delayMs - 1);
      await clock.advance(1);
      attempts.push(flaky.calls.register);
    }
    expect(attempts).toEqual([2, 3, 4, 5, 6, 7]);
    expect(errors).toHaveLength(6);
    expect(errors[0]).toMatchObject({ code: "ERR_REGISTRY", message: expect.stringContaining("registry is down") });
    flaky.down = false;
    await clock.advance(5_000);
    expect(flaky.calls.register).toBe(8);
    await clock.advance(4_999);
    expect(flaky.calls.register).toBe(8);
    await registration.stop();
  });

  test("on stop, the caller hears of it, every time", async () => {
    const { flaky, clock, start } = bench();
    const registration = await start();
    flaky.down = true;
    await expect(registration.stop()).rejects.toThrow("registry is down");
    await expect(registration.stop()).rejects.toThrow("registry is down");
    expect(clock.pending).toBe(0);
  });
});

describe("update", () => {
  test("replaces the service, and removes the nodes that it no longer has", async () => {
    const { flaky, clock, start } = bench();
    const registration = await start();
    await registration.update(service("orders", ["b", "c"]));
    expect(await ids(flaky, "orders")).toEqual(["b", "c"]);
    await registration.update(service("orders", ["b"], { version: "2" }));
    expect((await flaky.getService("orders")).map(({ version }) => version)).toEqual(["2"]);
    await clock.advance(30_000);
    expect(await ids(flaky, "orders")).toEqual(["b"]);
    await registration.stop();
    expect(await flaky.listServices()).toEqual([]);
  });

  test("that fails is tried again", async () => {
    const { flaky, clock, start } = bench();
    const registration = await start();
    flaky.down = true;
    await expect(registration.update(service("orders", ["c"]))).rejects.toThrow("registry is down");
    flaky.down = false;
    expect(await ids(flaky, "orders")).toEqual(["a", "b"]);
    await clock.advance(1_000);
    expect(await ids(flaky, "orders")).toEqual(["c"]);
    await registration.stop();
    expect(await flaky.listServices()).toEqual([]);
  });

  test("to something that the registry refuses leaves the former service registered", async () => {
    const { flaky, clock, start, errors } = bench();
    const registration = await start();
    await expectRefusal(registration.update(service("orders", [])), /has no nodes/);
    await clock.advance(60_000);
    expect(errors).toEqual([]);
    expect(await ids(flaky, "orders")).toEqual(["a", "b"]);
    await registration.stop();
  });
});

test.each([{ ttlMs: 0 }, { intervalMs: Number.NaN }, { ttlMs: 30_000 }, { ttlMs: 10, intervalMs: 20 }])(
  "refuses %o",
  async (options) => {
    const registry: Registry = memory();
    const call = keepRegistered(registry, service("orders", ["a"]), { ...options, onError: () => {} });
    await expect(call).rejects.toMatchObject({ code: "ERR_INVALID_OPTION" });
    expect(await registry.listServices()).toEqual([]);
  },
);
