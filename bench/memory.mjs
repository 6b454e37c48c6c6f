// The memory broker: publisher and subscriber in one process.
import { createBroker } from "tidings";
import { Meter } from "./meter.mjs";
import { IN_FLIGHT } from "./workload.mjs";

/** Opens the contestant. */
export async function openMemory() {
  const meter = new Meter();
  const broker = createBroker("memory:bench");
  await broker.connect();
  await broker.subscribe("bench", (delivery) => meter.received(delivery.message.body), { concurrency: IN_FLIGHT });
  return {
    name: "memory",
    /** So fast that the usual number of messages would be over before it is warm. */
    messagesFactor: 20,
    expect: async (count) => ({ arrived: meter.expect(count) }),
    send: (body) => broker.publish("bench", { body }),
    latencies: async () => meter.latencies(),
    close: () => broker.disconnect(),
  };
}
