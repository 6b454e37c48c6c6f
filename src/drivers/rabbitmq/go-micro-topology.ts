/**
 * go-micro's use of RabbitMQ: a topic exchange named `micro` that is not durable, topics as routing keys, bodies as they are,
 * and each header as an AMQP header of the same name. Source: go-micro's `broker/rabbitmq` and micro/plugins'.
 */
import type { Channel, ConsumeMessage } from "amqplib";
import { copyHeader, type Header } from "../../message.ts";
import { PRECONDITION_FAILED, replyCode } from "./classify.ts";
import type { Session } from "./session.ts";

/** go-micro's exchange, unless its option `ExchangeName` says otherwise. */
export const GO_MICRO_EXCHANGE = "micro";

/** A pattern as a binding key: AMQP's `*` is one word as well, but its `#` may be none. */
export function bindingKey(pattern: string): string {
  return pattern === ">" || pattern.endsWith(".>") ? `${pattern.slice(0, -1)}*.#` : pattern;
}

/** Makes the exchange as go-micro does, or takes the one that is there: with go-micro's `DurableExchange` it is durable. */
export async function declareExchange(session: Session): Promise<void> {
  await declare(
    session,
    (channel) => channel.assertExchange(GO_MICRO_EXCHANGE, "topic", { durable: false, autoDelete: false }),
    (channel) => channel.checkExchange(GO_MICRO_EXCHANGE),
  );
}

/**
 * Makes a queue as go-micro does, gone with its last consumer, or takes the one that is there: with go-micro's `DurableQueue`
 * it is durable. Returns its name, which is the server's choice where none is given.
 */
export async function declareQueue(session: Session, name: string | undefined): Promise<string> {
  const flags = { durable: false, autoDelete: true, exclusive: false };
  const { queue } = await declare(
    session,
    (channel) => channel.assertQueue(name ?? "", flags),
    (channel) => channel.checkQueue(name ?? ""),
  );
  return queue;
}

/** The header of a message; whatever stands there that is no text is written as text, as Go does. */
export function headerOf({ properties }: ConsumeMessage): Header {
  const header: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries((properties.headers ?? {}) as Record<string, unknown>))
    header[name] = Buffer.isBuffer(value) ? value.toString("utf8") : String(value);
  return copyHeader(header).header;
}

async function declare<T>(
  session: Session,
  make: (channel: Channel) => Promise<T>,
  take: (channel: Channel) => Promise<T>,
): Promise<T> {
  const title = "what go-micro peers share";
  try {
    return await session.attempt(make);
  } catch (error) {
    if (replyCode(error) !== PRECONDITION_FAILED) return session.use(title, make);
    return session.use(title, take);
  }
}
