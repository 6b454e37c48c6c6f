import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBroker } from "../../src/create-broker.ts";
import { http, httpCapabilities } from "../../src/drivers/http/index.ts";
import { local } from "../../src/registries/local/index.ts";
import { memory as memoryRegistry } from "../../src/registries/memory.ts";
import { type ConformanceHarness, createFaults, forkConformanceWorker, withFaults } from "../../src/testing/index.ts";

const WORKER = new URL("./workers/http.mjs", import.meta.url);

/** A harness on the HTTP broker: every broker is a peer of its own, and all meet in one private registry folder. */
export async function httpHarness(): Promise<ConformanceHarness> {
  const folder = await mkdtemp(join(tmpdir(), "tidings-conformance-"));
  const faults = createFaults();
  const address = "127.0.0.1:0";
  const unconnected: ConformanceHarness["unconnected"] = (options) =>
    createBroker(withFaults(http({ address, registry: local({ folder }) }), faults), options);
  return {
    name: "http",
    capabilities: httpCapabilities,
    receipts: { wanted: "accepted", unwanted: "waiting" },
    faults,
    unconnected,
    isolated: (options) => createBroker(http({ address, registry: memoryRegistry() }), options),
    async open(options) {
      const broker = unconnected(options);
      await broker.connect();
      return broker;
    },
    spawn: (role, args) =>
      forkConformanceWorker(WORKER, role, args, { env: { ...process.env, TIDINGS_TEST_REGISTRY_FOLDER: folder } }),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
