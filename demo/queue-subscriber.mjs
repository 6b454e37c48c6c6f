// The demo's second and third subscriber: members of one queue, which share the messages of a topic.
import { createBroker } from "tidings";
import { QUEUE, SHARED_TOPIC } from "./topics.mjs";
import { leave, report, settings, stop } from "./worker.mjs";

const broker = createBroker(); // the one that TIDINGS_BROKER names
await broker.connect();

await broker.subscribe(
  SHARED_TOPIC,
  async ({ topic, id, message }) => {
    const sequence = Number(message.header["demo-sequence"]);
    await report({ type: "received", receiver: settings.name, topic, id, sequence });
  },
  { queue: QUEUE },
);
await report({ type: "ready" });

await stop;
await broker.disconnect(); // lets running handlers finish, and gives back what was not started
leave();
