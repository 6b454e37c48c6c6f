// A worker process of the conformance kit on the HTTP broker: run from the built package, as a user would.

import { http } from "../../../dist/drivers/http/index.js";
import { createBroker } from "../../../dist/index.js";
import { local } from "../../../dist/registries/local/index.js";
import { runConformanceWorker } from "../../../dist/testing/index.js";

await runConformanceWorker(async (options) => {
  const registry = local({ folder: process.env.TIDINGS_TEST_REGISTRY_FOLDER });
  const storage = process.env.TIDINGS_TEST_STORAGE_FOLDER;
  const own = { address: "127.0.0.1:0", registry, ...(storage === undefined ? {} : { storage }) };
  const broker = createBroker(http(own), options);
  await broker.connect();
  return broker;
});
