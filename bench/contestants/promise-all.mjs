// What calling handlers costs: nothing in between.
import { inOneProcess } from "./one-process.mjs";

/** The two numbers of subscribers. */
export const withOne = { openSender: () => openSender(1) };
export const withTen = { openSender: () => openSender(10) };

/** Four that take turns. */
export const inTurn = {
  openSender() {
    let sent = 0;
    const open = async (handlers) => (body) => {
      sent += 1;
      return handlers[sent % handlers.length](body);
    };
    return inOneProcess(4, open, true);
  },
};

function openSender(subscribers) {
  return inOneProcess(subscribers, async (handlers) => (body) => Promise.all(handlers.map((handle) => handle(body))));
}
