import { expect, onTestFinished, test, vi } from "vitest";
import { createService, type Service, type ServiceOptions, silentLogger } from "../../src/index.ts";
import { memory } from "../../src/registries/memory.ts";

function newService(options: Partial<ServiceOptions> = {}): Service {
  const service = createService({
    name: "billing",
    broker: "memory:subscriptions",
    brokerOptions: { logger: silentLogger },
    ...options,
  });
  onTestFinished(() => service.stop());
  return service;
}

test("what is subscribed while the service starts is subscribed and shown too", async () => {
  const registry = memory();
  const got: unknown[] = [];
  const service = newService({
    registry,
    beforeStart: () => service.subscribe("before", (payload) => got.push(payload)),
    afterStart: () => service.subscribe("after", (payload) => got.push(payload)).ready(),
  });
  await service.start();
  await service.publisher("before").publish(1);
  await service.publisher("after").publish(2);
  await vi.waitFor(() => expect(got).toEqual([1, 2]));
  await vi.waitFor(async () => expect((await registry.getService("billing"))[0]?.endpoints).toHaveLength(2));
});

test("a subscription that is ended before it is there leaves nothing behind", async () => {
  const service = newService();
  await service.start();
  await service.subscribe("t", () => {}).unsubscribe();
  expect(await service.publisher("t").publish(1)).toMatchObject({ state: "unrouted" });
});

test("a registry from outside wins over that of the code, for the broker and for the service", async () => {
  const registry = memory();
  const service = newService({ registry });
  await service.init(["--registry", "memory"], {});
  await service.start();
  expect(service.broker.options.registry).toBe("memory");
  expect(await registry.listServices()).toEqual([]);
});

test("methods of an object without a class are shown by their names alone", async () => {
  const registry = memory();
  const service = newService({ registry });
  service.subscribe("t", { created() {} });
  service.subscribe(
    "t",
    new (class {
      paid(): void {}
    })(),
  );
  await service.start();
  const [record] = await registry.getService("billing");
  expect(record?.endpoints.map(({ name }) => name)).toEqual(["created", "paid"]);
});
