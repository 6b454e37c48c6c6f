// RabbitMQ with its fastest client alone: a quorum queue at a topic exchange, persistent messages with confirms, TCP_NODELAY,
// and an acknowledgement for each message.
import { connect } from "amqplib";
import { CONCURRENCY } from "../contestants.mjs";
import { HEADER } from "./header.mjs";
import { nextId } from "./ids.mjs";

const EXCHANGE = "bench-raw";
const QUEUE = "bench-raw";
const KEY = "bench";
const SOCKET = { noDelay: true };

/** The receiving process. */
export async function receive(meter, url) {
  const channel = await (await connect(url, SOCKET)).createChannel();
  await channel.assertExchange(EXCHANGE, "topic", { durable: true });
  await channel.assertQueue(QUEUE, { durable: true, arguments: { "x-queue-type": "quorum" } });
  await channel.bindQueue(QUEUE, EXCHANGE, KEY);
  await channel.prefetch(CONCURRENCY);
  await channel.consume(QUEUE, (message) => {
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
