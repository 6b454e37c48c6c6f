import { queryObjects } from "node:v8";
import { test } from "vitest";
import { GoPeer } from "../../src/drivers/http/go-peers.ts";
import { BROADCAST_VERSION, SERVICE_NAMES } from "../../src/drivers/http/service-names.ts";
import { memory } from "../../src/registries/memory.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { openBroker } from "./support/brokers.ts";

/** How many peers come and go. */
const COUNT = 50;

test("go-micro peers that came and went leave nothing behind", async () => {
  const registry = memory();
  const { broker, errors } = await openBroker(registry, { wire: "go-micro" }, { acceptTimeoutMs: 1 });
  for (let port = 1; port <= COUNT; port += 1) {
    const address = `127.0.0.1:${port}`;
    const metadata = { broker: "http", secure: "false", topic: "t" };
    const nodes = [{ id: `n${port}`, address, metadata }];
    const service = { name: SERVICE_NAMES.goMicro, version: BROADCAST_VERSION, metadata: {}, endpoints: [], nodes };
    await registry.register(service);
    await new Promise((resolve) => setImmediate(resolve));
    // Every other one leaves with a message on its way to it.
    if (port % 2 === 0) await broker.publish("t", { body: "x" });
    await registry.deregister(service);
  }
  // An error holds what was at work when it was made, until somebody reads its stack.
  errors.length = 0;
  await until(() => queryObjects(GoPeer, { format: "count" }) < COUNT / 2, {
    what: "the peers were forgotten",
    detail: () => `${queryObjects(GoPeer, { format: "count" })} are left`,
  });
});
