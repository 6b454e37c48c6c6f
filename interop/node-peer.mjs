// The Tidings side: brokers and services as a program would have them.
import { randomUUID } from "node:crypto";
import { http } from "../dist/drivers/http/index.js";
import { createBroker, createService } from "../dist/index.js";
import { mdns } from "../dist/registries/mdns/index.js";

const quiet = () => {};
const silent = { debug: quiet, info: quiet, warn: quiet, error: quiet };

/** A registry of this run. */
export function registry() {
  return mdns();
}

/** A broker on a transport and its address, as go-micro peers know it. */
function makeBroker({ transport, address, tls, oldWire }) {
  const options = { drainTimeoutMs: 5_000, onError: () => {}, logger: silent };
  if (transport.startsWith("http"))
    return createBroker(
      http({ registry: mdns(), wire: "go-micro", oldWire, ...(tls === undefined ? {} : { tls }) }),
      options,
    );
  const scheme = { nats: "nats+core", rabbitmq: "amqp" }[transport];
  return createBroker(`${scheme}://${address}`, { ...options, wire: "go-micro" });
}

/** A peer that receives with a broker. */
export async function brokerReceiver(where, topic, queue, onMessage) {
  const broker = makeBroker(where);
  await broker.connect();
  await broker.subscribe(
    topic,
    ({ message }) => onMessage({ header: { ...message.header }, body: Buffer.from(message.body) }),
    queue === undefined ? {} : { queue },
  );
  return { end: () => broker.disconnect() };
}

/** A peer that publishes with a broker. */
export async function brokerSender(where) {
  const broker = makeBroker(where);
  await broker.connect();
  return {
    async send(topic, header, bodies) {
      for (const body of bodies) await broker.publish(topic, { header, body });
      await broker.flush();
    },
    end: () => broker.disconnect(),
  };
}

/** A service with one subscription. `codecs` decode what JSON does not. */
export async function serviceReceiver(where, topic, queue, codecs, onMessage) {
  const service = createService({
    name: `tidings.${randomUUID().slice(0, 8)}`,
    broker: makeBroker(where),
    registry: mdns(),
    codecs,
  });
  service.subscribe(
    topic,
    (payload, context) => onMessage({ header: { ...context.header }, payload }),
    queue === undefined ? {} : { queue },
  );
  await service.start();
  return { service, end: () => service.stop() };
}

/** A service that publishes. */
export async function serviceSender(where, codec) {
  const service = createService({
    name: `tidings.${randomUUID().slice(0, 8)}`,
    broker: makeBroker(where),
    registry: mdns(),
  });
  await service.start();
  return {
    async send(topic, header, payloads) {
      const publisher = service.publisher(topic, codec === undefined ? {} : { codec });
      for (const payload of payloads) await publisher.publish(payload, { header });
      await service.broker.flush();
    },
    end: () => service.stop(),
  };
}
