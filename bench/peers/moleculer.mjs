// Moleculer with its TCP transporter: a call for each message, answered when the action has ended.
import { load } from "./load.mjs";

const options = (nodeID, port) => ({
  nodeID,
  logger: false,
  transporter: { type: "TCP", options: { udpDiscovery: false, port, urls: urlsOf(port) } },
});

/** Both ends know each other by address: nothing is sent to the network to find out. */
function urlsOf(port) {
  return [`tcp://127.0.0.1:${port.receiver}/receiver`, `tcp://127.0.0.1:${port.sender}/sender`];
}

async function freePort() {
  const { createServer } = await import("node:net");
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function broker(ServiceBroker, nodeID, ports) {
  const { transporter, ...rest } = options(nodeID, ports);
  transporter.options.port = ports[nodeID];
  return new ServiceBroker({ ...rest, transporter });
}

/** The receiving process; tells the ports. */
export async function receive(meter) {
  const { ServiceBroker } = await load("moleculer");
  const ports = { receiver: await freePort(), sender: await freePort() };
  const node = broker(ServiceBroker, "receiver", ports);
  node.createService({
    name: "bench",
    actions: {
      message({ params }) {
        // Its JSON serializer makes this of a buffer.
        meter.received(Buffer.from(params.body, "latin1"));
      },
    },
  });
  await node.start();
  return ports;
}

/** The sending process. */
export async function openSender(ports) {
  const { ServiceBroker } = await load("moleculer");
  const node = broker(ServiceBroker, "sender", ports);
  await node.start();
  await node.waitForServices("bench", 20_000);
  return { send: (body) => node.call("bench.message", { body: body.toString("latin1") }) };
}
