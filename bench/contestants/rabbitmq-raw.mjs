// RabbitMQ with its fastest client alone: queues at a topic exchange, quorum ones where they are shared, persistent messages with confirms, TCP_NODELAY,
// and an acknowledgement for each message.
import { connect } from "amqplib";
import { CONCURRENCY } from "../contestants.mjs";
import { HEADER } from "./header.mjs";
import { nextId } from "./ids.mjs";

const EXCHANGE = "bench-raw";
const QUEUE = "bench-raw";
const KEY = "bench";
const SOCKET = { noDelay: true };
const CLASSIC = { "x-queue-type": "classic", "x-expires": 60_000 };

/** A receiving process, one of those that share a queue. */
export function receive(meter, url) {
  return consume(meter, url, QUEUE, { "x-queue-type": "quorum" });
}

/** The same with receiving processes that have a queue each: classic and durable, which expires, as those of Tidings. */
export const broadcast = {
  receive: (meter, url) => consume(meter, url, `${QUEUE}-${process.pid}`, CLASSIC),
  openSender,
};

async function consume(meter, url, queue, kind) {
  const channel = await (await connect(url, SOCKET)).createChannel();
  await channel.assertExchange(EXCHANGE, "topic", { durable: true });
  await channel.assertQueue(queue, { durable: true, arguments: kind });
  await channel.bindQueue(queue, EXCHANGE, KEY);
  await channel.prefetch(CONCURRENCY);
  await channel.consume(queue, (message) => {
    meter.receivedWith(message.properties.headers, message.content);
    channel.ack(message);
  });
}

/** The sending process. */
export async function openSender(_ready, url) {
  const channel = await (await connect(url, SOCKET)).createConfirmChannel();
  return {
    send: (body) =>
      new Promise((resolve, reject) => {
        const options = {
          messageId: nextId(),
          headers: HEADER,
          persistent: true,
          mandatory: true,
          timestamp: Math.floor(Date.now() / 1_000),
        };
        channel.publish(EXCHANGE, KEY, body, options, (error) => (error === null ? resolve() : reject(error)));
      }),
  };
}
