// A process of a survival test: a member of queues, or a publisher, on the broker whose URL it is given. It tells what it
// does over the channel to its parent, and ends by itself after SIGTERM, or once a publisher has published everything.
import { setTimeout as pause } from "node:timers/promises";
import { createBroker } from "../../../dist/index.js";

/** How soon a publish that may be tried again is, in milliseconds. */
const AGAIN_AFTER_MS = 20;
/** How many messages a publisher has in flight. */
const WINDOW = 16;

const args = JSON.parse(process.argv[2]);
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const broker = createBroker(args.url, {
  connectTimeoutMs: 60_000,
  logger: silent,
  onError: ({ code, message }) => void tell({ event: "error", code, message }),
  ...args.broker,
});
let told = false;
const terminated = new Promise((resolve) => {
  process.once("SIGTERM", () => {
    told = true;
    resolve();
  });
});
// Whoever started it is gone.
process.once("disconnect", () => process.exit(1));
process.channel.unref();

try {
  await broker.connect();
  if (args.role === "member") await member(args);
  else await publisher(args);
  await broker.disconnect();
} catch (error) {
  process.exitCode = 1;
  await tell({ event: "failed", message: `${error.code ?? ""} ${error.stack}` });
}

async function member({ topic, subscriptions }) {
  for (const { queue, options, handlerMs = 0, failing } of subscriptions) {
    const handle = async (delivery) => {
      const text = delivery.text();
      // Its parent knows of it before it is acked, so that a kill takes no knowledge along.
      await tell({ event: "got", queue, text, attempt: delivery.attempt });
      if (handlerMs > 0) await pause(handlerMs);
      if (failing !== undefined && text.startsWith(failing)) throw new Error("it always fails");
    };
    await broker.subscribe(topic, handle, { ...options, queue });
  }
  await tell({ event: "ready" });
  await terminated;
}

/** Publishes evenly over a time; what may be tried again is, under the same id, until it is taken. */
async function publisher({ topic, name, count, lastsMs }) {
  await tell({ event: "ready" });
  const startedAt = performance.now();
  const lane = async (first) => {
    for (let number = first; number < count && !told; number += WINDOW) {
      const dueMs = (lastsMs * number) / count - (performance.now() - startedAt);
      if (dueMs > 0) await Promise.race([pause(dueMs), terminated]);
      if (told) return;
      await stubborn(topic, `${name}#${number}`);
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, (_, first) => lane(first)));
  await tell({ event: "published" });
}

async function stubborn(topic, text) {
  for (;;) {
    try {
      const { state } = await broker.publish(topic, { body: text }, { id: text });
      return await tell({ event: "taken", text, state });
    } catch (error) {
      if (error.retryable !== true) throw error;
      await tell({ event: "rejected", text, code: error.code });
      if (told) return;
      await pause(AGAIN_AFTER_MS);
    }
  }
}

function tell(message) {
  return new Promise((resolve, reject) => {
    process.send(message, (error) => (error === null ? resolve() : reject(error)));
  });
}
