// Moleculer's channels on JetStream: a message is stored before the send is done, and acknowledged.
import { CONCURRENCY } from "../contestants.mjs";
import { load } from "./load.mjs";

const CHANNEL = "bench-channel";

async function nodeOf(nodeID, url) {
  const { ServiceBroker } = await load("moleculer");
  const channels = await load("@moleculer/channels");
  const options = { nats: { url, connectionOptions: {}, streamConfig: { retention: "interest" } } };
  const adapter = { type: "NATS", options: { ...options, maxInFlight: CONCURRENCY } };
  return new ServiceBroker({ nodeID, logger: false, middlewares: [channels.Middleware({ adapter })] });
}

/** The receiving process. */
export async function receive(meter, url) {
  const node = await nodeOf("receiver", url);
  node.createService({
    name: "bench",
    channels: {
      [CHANNEL]: {
        group: "bench",
        async handler({ body }) {
          // Its JSON serializer makes this of a buffer.
          meter.received(Buffer.from(body, "latin1"));
        },
      },
    },
  });
  await node.start();
}

/** The sending process. */
export async function openSender(_ready, url) {
  const node = await nodeOf("sender", url);
  await node.start();
  return { send: (body) => node.sendToChannel(CHANNEL, { body: body.toString("latin1") }) };
}
