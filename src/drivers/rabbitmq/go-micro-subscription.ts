import type { Channel, ConsumeMessage } from "amqplib";
import type { DriverContext, SubscribeRequest } from "../../driver.ts";
import { BrokerError } from "../../errors.ts";
import { checkTag } from "../../message.ts";
import { checkTopic, matchesTopic } from "../../topics.ts";
import { bindingKey, declareQueue, GO_MICRO_EXCHANGE, headerOf } from "./go-micro-topology.ts";
import { closeChannel, type Session } from "./session.ts";

/** go-micro's two spellings of the id header, the newer one first. */
const ID_HEADERS = ["Micro-ID", "Micro-Id"] as const;

/**
 * A subscription as go-micro makes it. Messages are acknowledged when their handlers have ended, however they ended: those
 * of a process that dies go to the other members of its queue.
 */
export class GoMicroSubscription {
  readonly #request: SubscribeRequest;
  readonly #context: DriverContext;
  #channel: Channel | undefined;
  #consumer: string | undefined;
  #stopped = false;
  #counter = 0;

  constructor(request: SubscribeRequest, context: DriverContext) {
    this.#request = request;
    this.#context = context;
  }

  /** Puts it on a connection: the first one, or the next. */
  async attach(session: Session): Promise<void> {
    const { pattern, queue, prefetch } = this.#request;
    const name = await declareQueue(session, queue);
    const channel = await session.channel();
    await channel.prefetch(prefetch);
    // As go-micro: a queue that deletes itself with its last consumer has to have one before anything else is done with it.
    const { consumerTag } = await channel.consume(name, (message) => this.#take(channel, message));
    await channel.bindQueue(name, GO_MICRO_EXCHANGE, bindingKey(pattern));
    if (this.#stopped) return closeChannel(channel);
    this.#channel = channel;
    this.#consumer = consumerTag;
  }

  /** Takes no further messages; those in hand go on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const { topic, queue } = { topic: this.#request.pattern, queue: this.#request.queue };
    try {
      if (this.#consumer !== undefined) await this.#channel?.cancel(this.#consumer);
    } catch {
      // The connection is gone, and the consumer with it.
      this.#context.logger.debug({ topic, queue }, "The subscription ended with its connection");
    }
  }

  /** Gives back what was not settled. */
  async close(): Promise<void> {
    if (this.#channel !== undefined) await closeChannel(this.#channel);
  }

  #take(channel: Channel, message: ConsumeMessage | null): void {
    if (message === null) {
      const reason = `RabbitMQ ended the subscription to ${this.#request.pattern}: its queue was deleted.`;
      this.#request.onEnd(new BrokerError("ERR_CONNECTION_LOST", reason, { driver: "rabbitmq" }));
      return;
    }
    const topic = message.fields.routingKey;
    // A queue that others bound to something else as well brings what this subscription does not want; so may a pattern.
    if (!isTopic(topic) || !matchesTopic(this.#request.pattern, topic)) return channel.nack(message, false, false);
    const header = headerOf(message);
    this.#counter += 1;
    this.#request.deliver({
      topic,
      id: ID_HEADERS.map((name) => header[name]).find(isTag) ?? `${this.#request.id}-${this.#counter}`,
      key: undefined,
      header,
      body: message.content,
      attempt: 1,
      firstFailureAt: undefined,
      settle: (outcome) => {
        try {
          if (outcome.kind === "release") channel.nack(message, false, true);
          else channel.ack(message);
        } catch {
          // The channel ended with its connection, and RabbitMQ gives the message to another member.
          this.#context.logger.debug({ topic }, "A message was settled after its connection had ended");
        }
      },
    });
  }
}

function isTopic(text: string): boolean {
  return passes(() => checkTopic(text));
}

function isTag(value: string | undefined): value is string {
  return value !== undefined && passes(() => checkTag("id", value));
}

function passes(check: () => void): boolean {
  try {
    check();
    return true;
  } catch {
    // The checks throw for nothing else.
    return false;
  }
}
