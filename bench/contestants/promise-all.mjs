// What calling handlers costs: nothing in between.
import { inOneProcess } from "./one-process.mjs";

/** The two numbers of subscribers. */
export const withOne = { openSender: () => openSender(1) };
export const withTen = { openSender: () => openSender(10) };

function openSender(subscribers) {
  return inOneProcess(subscribers, async (handlers) => (body) => Promise.all(handlers.map((handle) => handle(body))));
}
