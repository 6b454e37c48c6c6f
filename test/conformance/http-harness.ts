import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBroker } from "../../src/create-broker.ts";
import { type HttpOptions, http, httpCapabilities } from "../../src/drivers/http/index.ts";
import { local } from "../../src/registries/local/index.ts";
import { memory as memoryRegistry } from "../../src/registries/memory.ts";
import { type ConformanceHarness, createFaults, forkConformanceWorker, withFaults } from "../../src/testing/index.ts";

const WORKER = new URL("./workers/http.mjs", import.meta.url);

/** What distinguishes one harness on the HTTP broker from another. */
export interface HttpHarnessOptions {
  /** What all of them share, for encrypted connections. Default none. */
  readonly secret?: string;
  /** Whether they share a storage folder, and take over what others leave there. Default false. */
  readonly storage?: boolean;
}

/**
 * A harness on the HTTP broker: every broker is a peer of its own, and all meet in one private registry folder. A broker that
 * is alone has a storage folder of its own.
 */
export async function httpHarness({ secret, storage = false }: HttpHarnessOptions = {}): Promise<ConformanceHarness> {
  const parent = await mkdtemp(join(tmpdir(), "tidings-conformance-"));
  const folder = join(parent, "registry");
  const stored = (name: string): HttpOptions => (storage ? { storage: join(parent, name) } : {});
  const faults = createFaults();
  const own = { address: "127.0.0.1:0", ...(secret === undefined ? {} : { secret }) };
  let isolated = 0;
  const unconnected: ConformanceHarness["unconnected"] = (options) =>
    createBroker(withFaults(http({ ...own, registry: local({ folder }), ...stored("storage") }), faults), options);
  return {
    name: secret !== undefined ? "http with a secret" : storage ? "http with storage" : "http",
    capabilities: { ...httpCapabilities, durable: storage },
    receipts: { wanted: storage ? "stored" : "accepted", unwanted: "waiting" },
    faults,
    unconnected,
    isolated(options) {
      isolated += 1;
      return createBroker(http({ ...own, registry: memoryRegistry(), ...stored(`alone-${isolated}`) }), options);
    },
    async open(options) {
      const broker = unconnected(options);
      await broker.connect();
      return broker;
    },
    spawn: (role, args) =>
      forkConformanceWorker(WORKER, role, args, {
        env: {
          ...process.env,
          TIDINGS_TEST_REGISTRY_FOLDER: folder,
          ...(secret === undefined ? {} : { TIDINGS_SECRET: secret }),
          ...(storage ? { TIDINGS_TEST_STORAGE_FOLDER: join(parent, "storage") } : {}),
        },
      }),
    close: () => rm(parent, { recursive: true, force: true }),
  };
}
