// The HTTP broker: every message is settled by its handler, and acknowledged to its publisher.
import { createBroker } from "tidings";
import { CONCURRENCY, PREFETCH } from "../contestants.mjs";

/** A receiving process. */
export function receive(meter) {
  return subscribe(meter, {});
}

/** The same with receiving processes that share one queue. */
export const inQueue = { receive: (meter) => subscribe(meter, { queue: "bench" }), openSender };

async function subscribe(meter, options) {
  const broker = createBroker("http://127.0.0.1:0");
  await broker.connect();
  await broker.subscribe("bench", (delivery) => meter.received(delivery.message.body), {
    ...options,
    concurrency: CONCURRENCY,
    prefetch: PREFETCH,
  });
}

/** The sending process. */
export async function openSender() {
  const broker = createBroker("http://127.0.0.1:0");
  await broker.connect();
  return { send: (body) => broker.publish("bench", { body }) };
}
