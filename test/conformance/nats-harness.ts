import { randomBytes } from "node:crypto";
import { connect, headers } from "@nats-io/transport-node";
import type { BrokerOptions } from "../../src/broker-options.ts";
import type { Capabilities } from "../../src/capabilities.ts";
import { createBroker } from "../../src/create-broker.ts";
import type { Driver } from "../../src/driver.ts";
import { nats, natsCore } from "../../src/drivers/nats/index.ts";
import { NATIVE_HEADERS } from "../../src/drivers/nats/native-header.ts";
import { Names, queueName } from "../../src/drivers/nats/subjects.ts";
import { type ConformanceHarness, createFaults, forkConformanceWorker, withFaults } from "../../src/testing/index.ts";
import { freePort } from "../support/engines/free-port.ts";
import { startNats } from "../support/engines/nats.ts";
import { faultProxy } from "../support/fault-proxy.ts";

const WORKER = new URL("./workers/nats.mjs", import.meta.url);
const AUTH = { user: "tidings", password: "s3cret of the kit" };
/** Shorter than the default, so that the checks in which a process dies do not wait for long. */
const REDELIVER_AFTER_MS = 2_000;

/** A harness on JetStream, or on core NATS: every broker is a connection of its own to one private server. */
export async function natsHarness(kind: "nats" | "nats+core"): Promise<ConformanceHarness> {
  // The time to log in is 2 seconds by default: too short for a connection that goes byte by byte on a busy machine.
  const config = `authorization ${JSON.stringify({ ...AUTH, timeout: 60 })}`;
  const engine = await startNats({ jetstream: kind === "nats", auth: AUTH, config });
  const server = `${engine.host}:${engine.port}`;
  const deadPort = await freePort();
  const faults = createFaults();
  const driver = (options: { prefix?: string; password?: string; server?: string } = {}): Driver => {
    const { server: other = server, ...rest } = options;
    const given = { servers: other, ...AUTH, ...rest };
    return kind === "nats" ? nats({ ...given, redeliverAfterMs: REDELIVER_AFTER_MS }) : natsCore(given);
  };
  /** The consumer only: the stream is everybody's. */
  const removeTopology = async (topic: string, queue: string): Promise<void> => {
    const connection = await connect({ servers: server, user: AUTH.user, pass: AUTH.password });
    await connection.request(`$JS.API.CONSUMER.DELETE.tidings-messages.${queueName(topic, queue)}`);
    await connection.close();
  };
  const unconnected = (options?: BrokerOptions) => createBroker(withFaults(driver(), faults), options);
  return {
    name: kind,
    capabilities: await capabilitiesOf(driver()),
    receipts: kind === "nats" ? { wanted: "stored", unwanted: "stored" } : { wanted: "sent", unwanted: "sent" },
    ...(kind === "nats" ? { faults } : {}),
    unconnected,
    isolated: (options) => createBroker(driver({ prefix: `kit-${randomBytes(4).toString("hex")}` }), options),
    refused: (options) => createBroker(driver({ password: "another" }), options),
    unreachable: (options) => createBroker(driver({ server: `${engine.host}:${deadPort}` }), options),
    async open(options) {
      const broker = unconnected(options);
      await broker.connect();
      return broker;
    },
    spawn: (role, args) =>
      forkConformanceWorker(WORKER, role, args, {
        env: {
          ...process.env,
          TIDINGS_TEST_NATS: JSON.stringify({ kind, servers: server, ...AUTH, redeliverAfterMs: REDELIVER_AFTER_MS }),
        },
      }),
    engine,
    async proxied() {
      const proxy = await faultProxy(engine);
      const through = { server: `127.0.0.1:${proxy.port}` };
      return {
        proxy,
        // Byte by byte, connecting takes its time on a busy machine.
        unconnected: (more) => createBroker(withFaults(driver(through), faults), { connectTimeoutMs: 30_000, ...more }),
        close: () => proxy.close(),
      };
    },
    ...(kind === "nats" ? { removeTopology } : {}),
    async writeBroken(topic) {
      const connection = await connect({ servers: server, user: AUTH.user, pass: AUTH.password });
      const native = headers();
      native.set(NATIVE_HEADERS.header, "{not json");
      const names = new Names("tidings");
      connection.publish(kind === "nats" ? names.topic(topic) : names.core(topic, false), "broken", {
        headers: native,
      });
      await connection.drain();
    },
    close: () => engine.stop(),
  };
}

/** What the driver declares on this server. */
async function capabilitiesOf(driver: Driver): Promise<Capabilities> {
  const broker = createBroker(driver);
  await broker.connect();
  const { capabilities } = broker;
  await broker.disconnect();
  return capabilities;
}
