// A service in the registry: what it shows there, and how it leaves while it is not well.
import { createService, topic } from "tidings";
import { memory } from "tidings/registry/memory";
import { z } from "zod";

const registry = memory();
let well = true;
const OrderCreated = topic("orders.created", z.object({ id: z.number(), total: z.number() }));
const database = { ping: async () => well };

// #region service
const service = createService({
  name: "billing",
  version: "1.2.0",
  metadata: { zone: "a" },
  broker: "memory:",
  registry, // by default that of the broker
  registerIntervalMs: 5, // by default 30 s
  registerCheck: () => database.ping(), // false, or an error: the service is not well
});
service.subscribe(OrderCreated, async function createInvoice() {}, { queue: "billing" });
await service.start();

const [record] = await registry.getService("billing");
console.log(record?.version, record?.nodes[0]?.metadata["zone"]);
for (const { name, metadata, request } of record?.endpoints ?? []) {
  console.log(name, metadata["topic"], metadata["queue"]);
  console.log(request?.values?.map((value) => `${value.name}: ${value.type}`));
}
// #endregion

let change = () => {};
const changed = () =>
  new Promise<void>((resolve) => {
    change = resolve;
  });
const watcher = await registry.watch(({ action }) => {
  if (action !== "update") change();
});
for (well of [false, true]) {
  await changed();
  console.log(`well: ${well}, in the registry: ${(await registry.getService("billing")).length === 1}`);
}
watcher.close();

await service.stop();
console.log(`stopped, in the registry: ${(await registry.getService("billing")).length === 1}`);
