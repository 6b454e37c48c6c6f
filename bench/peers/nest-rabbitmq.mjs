// NestJS over RabbitMQ: an event for each message, persistent in a quorum queue, confirmed to the sender and acknowledged.
import { CONCURRENCY } from "../contestants.mjs";
import { connectClient, startApplication } from "./nest.mjs";

const over = (url, noAck) => ({
  transport: "RMQ",
  options: {
    urls: [url],
    queue: "bench-nest",
    queueOptions: { durable: true, arguments: { "x-queue-type": "quorum" } },
    persistent: true,
    prefetchCount: CONCURRENCY,
    noAck,
    socketOptions: { connectionOptions: { noDelay: true } },
  },
});

/** The receiving process. */
export async function receive(meter, url) {
  const handle = (data, context) => {
    // Its serializer is JSON.
    meter.received(Buffer.from(data, "latin1"));
    context.getChannelRef().ack(context.getMessage());
  };
  await startApplication(over(url, false), handle, true);
}

/** The sending process. */
export async function openSender(_ready, url) {
  // For its answers, of which events have none, the client demands not to acknowledge.
  const send = await connectClient(over(url, true), true);
  return { send: (body) => send(body.toString("latin1")) };
}
