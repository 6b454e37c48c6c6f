// Moleculer with its transporter for core NATS.
import { startReceiver, startSender } from "./moleculer-calls.mjs";

const over = (url) => ({ type: "NATS", options: { url } });

/** The receiving process. */
export function receive(meter, url) {
  return startReceiver(over(url), meter);
}

/** The sending process. */
export function openSender(_ready, url) {
  return startSender(over(url));
}
