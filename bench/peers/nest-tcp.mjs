// NestJS over TCP: a request for each message, answered when the handler has ended.
import { freePort } from "./free-port.mjs";
import { connectClient, startApplication } from "./nest.mjs";

const over = (port) => ({ transport: "TCP", options: { host: "127.0.0.1", port } });

/** The receiving process; tells its port. */
export async function receive(meter) {
  const port = await freePort();
  // Its serializer is JSON.
  await startApplication(over(port), (data) => meter.received(Buffer.from(data, "latin1")));
  return port;
}

/** The sending process. */
export async function openSender(port) {
  const send = await connectClient(over(port));
  return { send: (body) => send(body.toString("latin1")) };
}
