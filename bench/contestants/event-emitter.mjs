// Node's own EventEmitter: calls the listeners, and forgets them.
import { EventEmitter } from "node:events";
import { inOneProcess } from "./one-process.mjs";

/** The two numbers of subscribers. */
export const withOne = { openSender: () => openSender(1) };
export const withTen = { openSender: () => openSender(10) };

function openSender(subscribers) {
  return inOneProcess(subscribers, async (handlers) => {
    const emitter = new EventEmitter();
    for (const handle of handlers) emitter.on("bench", handle);
    return (body) => emitter.emit("bench", body);
  });
}
