// What is alike for everybody who sends to handlers in the same process.
import { Meter } from "../meter.mjs";

/**
 * Opens such a contestant. Every handler is the same async function, and a message has come when all of them have had it; or
 * one of them, where they share.
 * @param open takes the handlers, and resolves with what sends a body to them
 */
export async function inOneProcess(handlers, open, shared = false) {
  const meter = new Meter();
  const send = await open(Array.from({ length: handlers }, () => async (body) => meter.received(body)));
  return {
    begin: async (measures) => meter.begin(measures),
    handled: async () => Math.floor(meter.handled / (shared ? 1 : handlers)),
    send,
    latencies: async () => meter.latencies(),
  };
}
