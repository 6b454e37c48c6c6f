// The memory broker: publisher and subscribers in one process.
import { createBroker } from "tidings";
import { CONCURRENCY } from "../contestants.mjs";
import { inOneProcess } from "./one-process.mjs";

/** The two numbers of subscribers. */
export const withOne = { openSender: () => openSender(1, {}) };
export const withTen = { openSender: () => openSender(10, {}) };

/** Four that share a queue. */
export const inQueue = { openSender: () => openSender(4, { queue: "bench" }) };

function openSender(subscribers, options) {
  const open = async (handlers) => {
    const broker = createBroker("memory:bench");
    await broker.connect();
    for (const handle of handlers)
      await broker.subscribe("bench", ({ message }) => handle(message.body), { ...options, concurrency: CONCURRENCY });
    return (body) => broker.publish("bench", { body });
  };
  return inOneProcess(subscribers, open, options.queue !== undefined);
}
