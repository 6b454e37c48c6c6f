// Core NATS through Tidings.
import { createBroker } from "tidings";
import { CONCURRENCY } from "../contestants.mjs";
import { QUIET } from "../quiet.mjs";
import { HEADER } from "./header.mjs";

async function open(url) {
  const broker = createBroker(url.replace(/^nats:/, "nats+core:"), { logger: QUIET });
  await broker.connect();
  return broker;
}

/** A receiving process, a member of a queue. */
export function receive(meter, url) {
  return subscribe(meter, url, { queue: "bench" });
}

/** The same with receiving processes that get every message each. */
export const broadcast = { receive: (meter, url) => subscribe(meter, url, {}), openSender };

async function subscribe(meter, url, options) {
  const broker = await open(url);
  await broker.subscribe("bench", ({ message }) => meter.receivedWith(message.header, message.body), {
    ...options,
    concurrency: CONCURRENCY,
  });
}

/** The sending process. */
export async function openSender(_ready, url) {
  const broker = await open(url);
  return { send: (body) => broker.publish("bench", { body, header: HEADER }) };
}
