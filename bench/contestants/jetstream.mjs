// JetStream through Tidings.
import { createBroker } from "tidings";
import { CONCURRENCY } from "../contestants.mjs";
import { HEADER } from "./header.mjs";

/** The receiving process. */
export async function receive(meter, url) {
  const broker = createBroker(url);
  await broker.connect();
  await broker.subscribe("bench", ({ message }) => meter.receivedWith(message.header, message.body), {
    queue: "bench",
    concurrency: CONCURRENCY,
  });
}

/** The sending process. */
export async function openSender(_ready, url) {
  const broker = createBroker(url);
  await broker.connect();
  return { send: (body) => broker.publish("bench", { body, header: HEADER }) };
}
