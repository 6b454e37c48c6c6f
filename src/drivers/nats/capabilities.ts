import type { Capabilities } from "../../capabilities.ts";

/** What the driver promises on a server with JetStream. */
export const natsCapabilities: Capabilities = Object.freeze({
  guarantee: "at-least-once",
  durable: true,
  processes: true,
  mandatory: false,
  standingQueues: true,
  deadLetters: true,
  deadLetterMove: "publish",
  ordered: true,
  keyAffinity: false,
  retryDelaysMs: "any",
  maxMessageBytes: null,
});

/** What the driver promises on core NATS. */
export const natsCoreCapabilities: Capabilities = Object.freeze({
  guarantee: "at-most-once",
  durable: false,
  processes: true,
  mandatory: false,
  standingQueues: false,
  deadLetters: false,
  deadLetterMove: "publish",
  ordered: true,
  keyAffinity: false,
  retryDelaysMs: "any",
  maxMessageBytes: null,
});
