// Core NATS with its client alone: publishes of a turn share one PING, whose PONG says that the server has them.
import { connect } from "@nats-io/transport-node";
import { HEADER } from "./header.mjs";
import { decode, encode } from "./nats-headers.mjs";

const SUBJECT = "bench.raw";

/** A receiving process, a member of a queue. */
export function receive(meter, servers) {
  return subscribe(meter, servers, { queue: "bench" });
}

/** The same with receiving processes that get every message each. */
export const broadcast = { receive: (meter, servers) => subscribe(meter, servers, {}), openSender };

async function subscribe(meter, servers, options) {
  const connection = await connect({ servers });
  connection.subscribe(SUBJECT, {
    ...options,
    callback: (error, message) => {
      if (error !== null) throw error;
      meter.receivedWith(decode(message.headers).header, message.data);
    },
  });
  await connection.flush();
}

/** The sending process. */
export async function openSender(_ready, servers) {
  const connection = await connect({ servers });
  let flushing;
  return {
    send(body) {
      connection.publish(SUBJECT, body, { headers: encode(HEADER) });
      // What is published in one turn of the event loop waits for the same answer.
      flushing ??= Promise.resolve().then(() => {
        flushing = undefined;
        return connection.flush();
      });
      return flushing;
    },
  };
}
