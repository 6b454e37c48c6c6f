// A worker process of the conformance kit on RabbitMQ: run from the built package, as a user would.

import { rabbitmq } from "../../../dist/drivers/rabbitmq/index.js";
import { createBroker } from "../../../dist/index.js";
import { runConformanceWorker } from "../../../dist/testing/index.js";

await runConformanceWorker(async (options) => {
  const { TIDINGS_TEST_RABBITMQ_SERVER: url, TIDINGS_TEST_RABBITMQ_PREFIX: prefix } = process.env;
  const broker = createBroker(rabbitmq({ url, prefix }), options);
  await broker.connect();
  return broker;
});
