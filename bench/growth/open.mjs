// The broker of a point.
import { createBroker } from "tidings";
import { QUIET } from "../quiet.mjs";

/** For a whole mebibyte of body with its header, in bytes. */
const MESSAGE_BYTES = 2 * 1024 ** 2;

/** For many subscriptions to be told, and for many messages to be taken, in milliseconds. */
const PATIENT_MS = 60_000;

/** Connects the broker of this name. `url`: its engine's, where it has one. */
export async function openBroker(name, url) {
  const broker = createBroker(urlOf(name, url), {
    connectTimeoutMs: PATIENT_MS,
    acceptTimeoutMs: PATIENT_MS,
    maxMessageBytes: MESSAGE_BYTES,
    logger: QUIET,
  });
  await broker.connect();
  return broker;
}

function urlOf(name, url) {
  if (name === "memory") return "memory:bench";
  if (name === "http") return "http://127.0.0.1:0";
  return name === "nats-core" ? url.replace(/^nats:/, "nats+core:") : url;
}
