// Core NATS through Tidings.
import { createBroker } from "tidings";
import { CONCURRENCY } from "../contestants.mjs";
import { HEADER } from "./header.mjs";

async function open(url) {
  const broker = createBroker(url.replace(/^nats:/, "nats+core:"));
  await broker.connect();
  return broker;
}

/** The receiving process. */
export async function receive(meter, url) {
  const broker = await open(url);
  await broker.subscribe("bench", ({ message }) => meter.receivedWith(message.header, message.body), {
    queue: "bench",
    concurrency: CONCURRENCY,
  });
}

/** The sending process. */
export async function openSender(_ready, url) {
  const broker = await open(url);
  return { send: (body) => broker.publish("bench", { body, header: HEADER }) };
}
