// The demo's publisher: a message on each of two topics, again and again; with --messages N only so often.
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createService } from "tidings";
import { report } from "./report.mjs";
import { BROADCAST_TOPIC, SHARED_TOPIC } from "./topics.mjs";

// Flags of its own: a service leaves those that it does not know alone.
const text = { type: "string" };
const { values } = parseArgs({ options: { messages: text, "interval-ms": text }, strict: false });
const messages = Number(values.messages ?? Number.POSITIVE_INFINITY);
const intervalMs = Number(values["interval-ms"] ?? 500);

const stopping = new AbortController();
let publishing;

const service = createService({
  name: "example.publisher",
  afterStart: () => {
    publishing = publish().then(() => void service.stop());
  },
  beforeStop: async () => {
    stopping.abort();
    await publishing; // so that it ends its round while the broker is still there
  },
});
await service.init(); // command line and environment

const publishers = [BROADCAST_TOPIC, SHARED_TOPIC].map((topic) => service.publisher(topic));

await service.run(); // until it has published enough, or SIGINT or SIGTERM

async function publish() {
  for (let sequence = 1; sequence <= messages && !stopping.signal.aborted; sequence += 1) {
    for (const publisher of publishers) {
      const { id, state } = await publisher.publish({ sequence, text: `message ${sequence}` });
      await report({ type: "published", topic: publisher.topic.name, id, sequence, state });
    }
    await pause(intervalMs, undefined, { signal: stopping.signal }).catch(() => {});
  }
  await service.broker.flush({ signal: AbortSignal.timeout(10_000) }); // until everything is delivered and handled
}
