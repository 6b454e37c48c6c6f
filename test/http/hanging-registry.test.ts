import { expect, test } from "vitest";
import { createBroker } from "../../src/create-broker.ts";
import { memory as memoryBroker } from "../../src/drivers/memory/index.ts";
import { memory } from "../../src/registries/memory.ts";
import type { Registry } from "../../src/registry.ts";
import { createService } from "../../src/service/create-service.ts";
import { openBroker } from "./support/brokers.ts";

/** A registry that answers no more from a moment on, and refuses nothing either. */
function hanging(): { readonly registry: Registry; hang(): void } {
  const inner = memory();
  let hangs = false;
  const call = <T>(run: () => Promise<T>): Promise<T> => (hangs ? new Promise<T>(() => {}) : run());
  return {
    registry: {
      name: "hanging",
      sharedWithGoMicro: true,
      register: (service, options) => call(() => inner.register(service, options)),
      deregister: (service) => call(() => inner.deregister(service)),
      getService: (name) => call(() => inner.getService(name)),
      listServices: () => call(() => inner.listServices()),
      watch: (listener, options) => call(() => inner.watch(listener, options)),
    },
    hang: () => {
      hangs = true;
    },
  };
}

test("a registry that hangs holds up no disconnect, and is told of", async () => {
  const { registry, hang } = hanging();
  const { broker, errors } = await openBroker(registry, {}, { drainTimeoutMs: 500 });
  await broker.subscribe("t.x", () => {});
  await broker.subscribe("t.q", () => {}, { queue: "q" });
  hang();
  const startedAt = performance.now();
  await broker.disconnect();
  expect(performance.now() - startedAt).toBeLessThan(9_000);
  expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(["ERR_REGISTRY"]));
}, 30_000);

test("a registry that hangs fails a subscribe, and costs nothing that is known already", async () => {
  const { registry, hang } = hanging();
  const here = await openBroker(registry, {}, { drainTimeoutMs: 500 });
  const there = await openBroker(registry, {}, { drainTimeoutMs: 500 });
  const got: string[] = [];
  await there.broker.subscribe("t.x", (delivery) => void got.push(delivery.text()));
  hang();
  expect((await here.broker.publish("t.x", { body: "x" })).state).toBe("accepted");
  await expect(there.broker.subscribe("t.y", () => {})).rejects.toMatchObject({ code: "ERR_REGISTRY" });
  expect(got).toEqual(["x"]);
}, 40_000);

test("a registry that hangs holds up no service that stops, and is told of", async () => {
  const { registry, hang } = hanging();
  const errors: string[] = [];
  const service = createService({
    name: "s",
    broker: createBroker(memoryBroker()),
    registry,
    registerIntervalMs: 50,
    onError: ({ code }) => errors.push(code),
  });
  await service.start();
  hang();
  await service.stop();
  expect(errors).toEqual(["ERR_REGISTRY"]);
}, 15_000);

test("a registry that hangs fails the start of a service", async () => {
  const { registry, hang } = hanging();
  const service = createService({ name: "s", broker: createBroker(memoryBroker()), registry });
  hang();
  await expect(service.start()).rejects.toMatchObject({ code: "ERR_REGISTRY" });
}, 15_000);
