// A worker process of the conformance kit on NATS: run from the built package, as a user would.

import { nats, natsCore } from "../../../dist/drivers/nats/index.js";
import { createBroker } from "../../../dist/index.js";
import { runConformanceWorker } from "../../../dist/testing/index.js";

const { kind, redeliverAfterMs, ...login } = JSON.parse(process.env.TIDINGS_TEST_NATS);

await runConformanceWorker(async (options) => {
  const broker = createBroker(kind === "nats" ? nats({ ...login, redeliverAfterMs }) : natsCore(login), options);
  await broker.connect();
  return broker;
});
