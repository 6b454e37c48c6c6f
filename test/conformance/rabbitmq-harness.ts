import { randomBytes } from "node:crypto";
import { connect } from "amqplib";
import { createBroker } from "../../src/create-broker.ts";
import { rabbitmq, rabbitmqCapabilities } from "../../src/drivers/rabbitmq/index.ts";
import { Names } from "../../src/drivers/rabbitmq/names.ts";
import { type ConformanceHarness, createFaults, forkConformanceWorker, withFaults } from "../../src/testing/index.ts";
import { engineUrl } from "../support/engines/find-engine.ts";
import { startRabbitmq } from "../support/engines/rabbitmq.ts";
import { faultProxy } from "../support/fault-proxy.ts";

const WORKER = new URL("./workers/rabbitmq.mjs", import.meta.url);

/** A port at which nobody answers: it is reserved, and only the superuser could listen there. */
const NOBODY = "amqp://127.0.0.1:1";

/** A harness on a private RabbitMQ node, or on the server that the engine's variable names. */
export async function rabbitmqHarness(): Promise<ConformanceHarness> {
  const engine = engineUrl("rabbitmq") === undefined ? await startRabbitmq() : undefined;
  const url = engine?.url ?? engineUrl("rabbitmq") ?? "";
  // What has another prefix shares nothing, on whatever server.
  const prefix = `kit-${randomBytes(4).toString("hex")}`;
  const faults = createFaults();
  const unconnected: ConformanceHarness["unconnected"] = (options) =>
    createBroker(withFaults(rabbitmq({ url, prefix }), faults), options);
  return {
    name: "rabbitmq",
    capabilities: rabbitmqCapabilities,
    receipts: { wanted: "stored", unwanted: "unrouted" },
    faults,
    unconnected,
    isolated: (options) =>
      createBroker(rabbitmq({ url, prefix: `${prefix}-${randomBytes(4).toString("hex")}` }), options),
    refused: (options) => createBroker(rabbitmq({ url, prefix, password: "not the password" }), options),
    unreachable: (options) => createBroker(rabbitmq({ url: NOBODY }), options),
    async open(options) {
      const broker = unconnected(options);
      await broker.connect();
      return broker;
    },
    spawn: (role, args) =>
      forkConformanceWorker(WORKER, role, args, {
        env: { ...process.env, TIDINGS_TEST_RABBITMQ_SERVER: url, TIDINGS_TEST_RABBITMQ_PREFIX: prefix },
      }),
    ...(engine === undefined ? {} : { engine }),
    async proxied() {
      const { hostname, port } = new URL(url);
      const proxy = await faultProxy({ host: hostname, port: Number(port) });
      const through = Object.assign(new URL(url), { hostname: "127.0.0.1", port: String(proxy.port) }).href;
      return {
        proxy,
        unconnected: (options) =>
          createBroker(withFaults(rabbitmq({ url: through, prefix, heartbeatMs: 2_000 }), faults), options),
        close: () => proxy.close(),
      };
    },
    async removeTopology(topic, queue) {
      const connection = await connect(url);
      try {
        const channel = await connection.createChannel();
        await channel.deleteQueue(new Names(prefix).queue(topic, queue));
      } finally {
        await connection.close();
      }
    },
    async writeBroken(topic) {
      const connection = await connect(url);
      try {
        const channel = await connection.createConfirmChannel();
        channel.publish(prefix, topic, Buffer.from("broken"), { headers: { "tidings-header": "{" } });
        await channel.waitForConfirms();
      } finally {
        await connection.close();
      }
    },
    close: async () => engine?.stop(),
  };
}
