// NestJS over core NATS: a request for each message, answered when the handler has ended.
import { connectClient, startApplication } from "./nest.mjs";

const over = (servers) => ({ transport: "NATS", options: { servers, queue: "bench" } });

/** The receiving process. */
export async function receive(meter, url) {
  // Its serializer is JSON.
  await startApplication(over(url), (data) => meter.received(Buffer.from(data, "latin1")));
}

/** The sending process. */
export async function openSender(_ready, url) {
  const send = await connectClient(over(url));
  return { send: (body) => send(body.toString("latin1")) };
}
