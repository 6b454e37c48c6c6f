// What is alike for Moleculer over every transporter: a call for each message, answered when the action has ended.
import { load } from "./load.mjs";

/** Starts the node that handles. */
export async function startReceiver(transporter, meter) {
  const { ServiceBroker } = await load("moleculer");
  const node = new ServiceBroker({ nodeID: "receiver", logger: false, transporter });
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
}

/** Starts the node that calls. */
export async function startSender(transporter) {
  const { ServiceBroker } = await load("moleculer");
  const node = new ServiceBroker({ nodeID: "sender", logger: false, transporter });
  await node.start();
  await node.waitForServices("bench", 20_000);
  return { send: (body) => node.call("bench.message", { body: body.toString("latin1") }) };
}
