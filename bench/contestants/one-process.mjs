// What is alike for everybody who sends to handlers in the same process.
import { Meter } from "../meter.mjs";

/**
 * Opens such a contestant. Every handler is the same async function, and a message has come when all of them have had it.
 * @param open takes the handlers, and resolves with what sends a body to all of them
 */
export async function inOneProcess(subscribers, open) {
  const meter = new Meter();
  const handlers = Array.from({ length: subscribers }, () => async (body) => meter.received(body));
  const send = await open(handlers);
  return {
    begin: async (measures) => meter.begin(measures),
    handled: async () => Math.floor(meter.handled / subscribers),
    send,
    latencies: async () => meter.latencies(),
  };
}
