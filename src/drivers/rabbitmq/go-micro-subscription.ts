import type { Channel, ConsumeMessage } from "amqplib";
import { goMicroId } from "../../codecs/go-micro-headers.ts";
import type { DriverContext, SubscribeRequest } from "../../driver.ts";
import { wrapError } from "../../errors.ts";
import { delay } from "../../internal/wait.ts";
import { isTopic, matchesTopic } from "../../topics.ts";
import { NOT_FOUND, replyCode } from "./classify.ts";
import { bindingKey, declareQueue, GO_MICRO_EXCHANGE, headerOf } from "./go-micro-topology.ts";
import { closeChannel, type Session } from "./session.ts";

/** Pause before a subscription that the server ended is made again, doubled with each failure, in milliseconds. */
const RESTORE_MS = { first: 50, most: 2_000 };

/**
 * A subscription as go-micro makes it. Messages are acknowledged when their handlers have ended, however they ended: those
 * of a process that dies go to the other members of its queue.
 */
export class GoMicroSubscription {
  readonly #request: SubscribeRequest;
  readonly #context: DriverContext;
  readonly #stopping = new AbortController();
  #channel: Channel | undefined;
  #session: Session | undefined;
  #name = "";
  #consumer: string | undefined;
  /** Whether the queue went with this subscription, its last consumer: nothing can be given back to it. */
  #queueGone = false;
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
    let ended = false;
    channel.once("close", () => {
      ended = true;
      this.#lost(channel, session);
    });
    await channel.prefetch(prefetch);
    // As go-micro: a queue that deletes itself with its last consumer has to have one before anything else is done with it.
    const { consumerTag } = await channel.consume(name, (message) => this.#take(channel, message));
    await channel.bindQueue(name, GO_MICRO_EXCHANGE, bindingKey(pattern));
    if (this.#stopped) return closeChannel(channel);
    if (ended) throw new Error("the channel closed as soon as it was consumed from");
    this.#channel = channel;
    this.#session = session;
    this.#name = name;
    this.#consumer = consumerTag;
  }

  /** Binds its queue once more: the exchange was removed, and its bindings with it. */
  async bind(): Promise<void> {
    try {
      await this.#channel?.bindQueue(this.#name, GO_MICRO_EXCHANGE, bindingKey(this.#request.pattern));
    } catch {
      // The server ended the channel at it, and the subscription is made again, its binding with it.
      this.#context.logger.debug({ topic: this.#request.pattern }, "A queue could not be bound again");
    }
  }

  /** Takes no further messages; those in hand go on. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const { topic, queue } = { topic: this.#request.pattern, queue: this.#request.queue };
    try {
      if (this.#consumer !== undefined) await this.#channel?.cancel(this.#consumer);
      await this.#session?.attempt((channel) => channel.checkQueue(this.#name));
    } catch (error) {
      if (replyCode(error) === NOT_FOUND) this.#queueGone = true;
      // Else the connection is gone, and the consumer with it.
      else this.#context.logger.debug({ topic, queue }, "The subscription ended with its connection");
    }
  }

  /** Gives back what was not settled. */
  async close(): Promise<void> {
    const channel = this.#channel;
    this.#channel = undefined;
    if (channel !== undefined) await closeChannel(channel);
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  #lost(channel: Channel, session: Session): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    // A connection that ends closes its channels first: then restoring is not this subscription's to begin.
    queueMicrotask(() => {
      if (session.alive && !this.#stopped) void this.#restore(session);
    });
  }

  /** The server ended the consumer or its channel, and the connection holds. */
  async #restore(session: Session): Promise<void> {
    const { signal } = this.#stopping;
    try {
      for (let waitMs = RESTORE_MS.first; ; waitMs = Math.min(RESTORE_MS.most, waitMs * 2)) {
        await delay(this.#context.clock, waitMs, signal);
        if (!session.alive) return;
        try {
          return await this.attach(session);
        } catch (error) {
          if (!session.alive) return;
          const message = `Restoring the subscription to ${this.#request.pattern} failed`;
          this.#context.onError(wrapError(error, "ERR_CONNECTION_LOST", message, { driver: "rabbitmq" }));
        }
      }
    } catch (error) {
      // It was stopped while it waited.
      if (!signal.aborted) throw error;
    }
  }

  #take(channel: Channel, message: ConsumeMessage | null): void {
    if (message === null) {
      // The queue is gone. It is made anew, on a channel of its own: what the old one held is gone too.
      void closeChannel(channel);
      return;
    }
    const topic = message.fields.routingKey;
    // A queue that others bound to something else as well brings what this subscription does not want; so may a pattern.
    if (!isTopic(topic) || !matchesTopic(this.#request.pattern, topic)) return channel.nack(message, false, false);
    const header = headerOf(message);
    this.#counter += 1;
    const id = goMicroId(header) ?? `${this.#request.id}-${this.#counter}`;
    this.#request.deliver({
      topic,
      id,
      key: undefined,
      header,
      body: message.content,
      attempt: 1,
      firstFailureAt: undefined,
      settle: (outcome) => {
        const { queue } = this.#request;
        if (outcome.kind === "release" && this.#queueGone)
          return this.#context.onGiveUp({ topic, id, queue, reason: "its subscription ended" });
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
