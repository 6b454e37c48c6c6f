// axon: a request for each message over TCP, answered when the handler has ended.
import { load } from "./load.mjs";

/** The receiving process; tells its port. */
export async function receive(meter) {
  const axon = await load("axon");
  const socket = axon.socket("rep");
  socket.on("message", (body, reply) => {
    meter.received(body);
    reply();
  });
  await new Promise((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return socket.server.address().port;
}

/** The sending process. */
export async function openSender(port) {
  const axon = await load("axon");
  const socket = axon.socket("req");
  await new Promise((resolve) => socket.connect(port, "127.0.0.1", resolve));
  return { send: (body) => new Promise((resolve) => socket.send(body, resolve)) };
}
