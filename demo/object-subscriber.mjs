// The demo's first subscriber: an object whose two methods both get every message of one topic.
import { createBroker } from "tidings";
import { BROADCAST_TOPIC } from "./topics.mjs";
import { leave, report, settings, stop } from "./worker.mjs";

class Handlers {
  async first(delivery) {
    await received("first", delivery);
  }

  async second(delivery) {
    await received("second", delivery);
  }
}

const handlers = new Handlers();
const broker = createBroker(); // the one that TIDINGS_BROKER names
await broker.connect();

// Without a queue every subscription gets every message; one per method, so that each has retries of its own.
for (const method of ["first", "second"]) {
  await broker.subscribe(BROADCAST_TOPIC, (delivery) => handlers[method](delivery));
}
await report({ type: "ready" });

await stop;
await broker.disconnect(); // lets running handlers finish
leave();

function received(method, { topic, id, message }) {
  const sequence = Number(message.header["demo-sequence"]);
  return report({ type: "received", receiver: `${settings.name}.${method}`, topic, id, sequence });
}
