// What calling handlers costs: nothing in between.
import { inOneProcess } from "./one-process.mjs";

/** The two numbers of subscribers. */
export const withOne = { openSender: () => openSender(1) };
export const withTen = { openSender: () => openSender(10) };

/** The same, and every handler gets a body that is its own, to change and to keep. */
export const ownWithOne = { openSender: () => openSender(1, (body) => Buffer.from(body)) };
export const ownWithTen = { openSender: () => openSender(10, (body) => Buffer.from(body)) };

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

function openSender(subscribers, bodyOf) {
  const call = bodyOf === undefined ? (body) => (handle) => handle(body) : (body) => (handle) => handle(bodyOf(body));
  return inOneProcess(subscribers, async (handlers) => (body) => Promise.all(handlers.map(call(body))));
}
