// The demo's publisher: a message on each of two topics, again and again.
import { setTimeout as pause } from "node:timers/promises";
import { createBroker } from "tidings";
import { BROADCAST_TOPIC, SHARED_TOPIC } from "./topics.mjs";
import { leave, report, settings, stop } from "./worker.mjs";

const { messages = Number.POSITIVE_INFINITY, intervalMs } = settings;

const broker = createBroker(); // the one that TIDINGS_BROKER names
await broker.connect();

let stopping = false;
void stop.then(() => {
  stopping = true;
});

for (let sequence = 1; sequence <= messages && !stopping; sequence += 1) {
  for (const topic of [BROADCAST_TOPIC, SHARED_TOPIC]) {
    const message = { header: { "demo-sequence": String(sequence) }, body: `message ${sequence}` };
    const { id, state } = await broker.publish(topic, message);
    await report({ type: "published", topic, id, sequence, state });
  }
  await Promise.race([pause(intervalMs), stop]);
}

await broker.flush({ signal: AbortSignal.timeout(10_000) }); // until everything is delivered and handled
await broker.disconnect();
leave();
