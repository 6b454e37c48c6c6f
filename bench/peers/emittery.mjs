// emittery: an emitter of events that waits for async listeners.
import { inOneProcess } from "../contestants/one-process.mjs";
import { load } from "./load.mjs";

/** The two numbers of subscribers. */
export const withOne = { openSender: () => openSender(1) };
export const withTen = { openSender: () => openSender(10) };

async function openSender(subscribers) {
  const Emittery = await load("emittery");
  return inOneProcess(subscribers, async (handlers) => {
    const emitter = new Emittery();
    for (const handle of handlers) emitter.on("bench", handle);
    return (body) => emitter.emit("bench", body);
  });
}
