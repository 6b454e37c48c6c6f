// Moleculer with its TCP transporter.
import { freePort } from "./free-port.mjs";
import { startReceiver, startSender } from "./moleculer-calls.mjs";

/** Both ends know each other by address: nothing is sent to the network to find out. */
function over(ports, nodeID) {
  const urls = Object.entries(ports).map(([name, port]) => `tcp://127.0.0.1:${port}/${name}`);
  return { type: "TCP", options: { udpDiscovery: false, port: ports[nodeID], urls } };
}

/** The receiving process; tells the ports. */
export async function receive(meter) {
  const ports = { receiver: await freePort(), sender: await freePort() };
  await startReceiver(over(ports, "receiver"), meter);
  return ports;
}

/** The sending process. */
export function openSender(ports) {
  return startSender(over(ports, "sender"));
}
