// The memory broker: publisher and subscriber in one process.
import { createBroker } from "tidings";
import { CONCURRENCY } from "../contestants.mjs";
import { Meter } from "../meter.mjs";

/** Opens the contestant. */
export async function openSender() {
  const meter = new Meter();
  const broker = createBroker("memory:bench");
  await broker.connect();
  await broker.subscribe("bench", (delivery) => meter.received(delivery.message.body), { concurrency: CONCURRENCY });
  return {
    expect: async (count, measures) => ({ arrived: meter.expect(count, measures) }),
    send: (body) => broker.publish("bench", { body }),
    latencies: async () => meter.latencies(),
  };
}
