// RabbitMQ through Tidings.
import { createBroker } from "tidings";
import { CONCURRENCY } from "../contestants.mjs";
import { HEADER } from "./header.mjs";

/** A receiving process, a member of a queue. */
export function receive(meter, url) {
  return subscribe(meter, url, { queue: "bench" });
}

/** The same with receiving processes that get every message each. */
export const broadcast = { receive: (meter, url) => subscribe(meter, url, {}), openSender };

async function subscribe(meter, url, options) {
  const broker = createBroker(url);
  await broker.connect();
  await broker.subscribe("bench", ({ message }) => meter.receivedWith(message.header, message.body), {
    ...options,
    concurrency: CONCURRENCY,
  });
}

/** The sending process. */
export async function openSender(_ready, url) {
  const broker = createBroker(url);
  await broker.connect();
  return { send: (body) => broker.publish("bench", { body, header: HEADER }) };
}
