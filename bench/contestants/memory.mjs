// The memory broker: publisher and subscribers in one process.
import { createBroker } from "tidings";
import { CONCURRENCY } from "../contestants.mjs";
import { inOneProcess } from "./one-process.mjs";

/** The two numbers of subscribers. */
export const withOne = { openSender: () => openSender(1) };
export const withTen = { openSender: () => openSender(10) };

function openSender(subscribers) {
  return inOneProcess(subscribers, async (handlers) => {
    const broker = createBroker("memory:bench");
    await broker.connect();
    for (const handle of handlers)
      await broker.subscribe("bench", ({ message }) => handle(message.body), { concurrency: CONCURRENCY });
    return (body) => broker.publish("bench", { body });
  });
}
