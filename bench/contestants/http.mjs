// The HTTP broker: every message is settled by its handler, and acknowledged to its publisher.
import { createBroker } from "tidings";
import { CONCURRENCY } from "../contestants.mjs";

/** The receiving process. */
export async function receive(meter) {
  const broker = createBroker("http://127.0.0.1:0");
  await broker.connect();
  await broker.subscribe("bench", (delivery) => meter.received(delivery.message.body), { concurrency: CONCURRENCY });
}

/** The sending process. */
export async function openSender() {
  const broker = createBroker("http://127.0.0.1:0");
  await broker.connect();
  return { send: (body) => broker.publish("bench", { body }) };
}
