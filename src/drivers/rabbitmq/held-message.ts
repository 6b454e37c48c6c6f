import type { Channel, ConsumeMessage } from "amqplib";
import type { Received } from "./native-message.ts";
import type { Session } from "./session.ts";

/** One consumer, from its start to its end: a new one follows when the channel or the queue is lost. */
export interface Feed {
  readonly channel: Channel;
  readonly session: Session;
  /** What it has delivered and nobody has settled. */
  readonly held: Set<HeldMessage>;
  tag: string;
  alive: boolean;
}

/**
 * A message that a subscription holds unsettled. When its channel is lost, RabbitMQ delivers it again; if it comes back to
 * where it is still held, it is the same message, on another channel.
 */
export class HeldMessage {
  readonly received: Received;
  #feed: Feed;
  #message: ConsumeMessage;

  constructor(received: Received, feed: Feed, message: ConsumeMessage) {
    this.received = received;
    this.#feed = feed;
    this.#message = message;
    feed.held.add(this);
  }

  /** Whether it can be settled: its channel has not ended. */
  get alive(): boolean {
    return this.#feed.alive;
  }

  /** Its place among what the channel delivered. */
  get tag(): number {
    return this.#message.fields.deliveryTag;
  }

  /** It has come again. */
  move(feed: Feed, message: ConsumeMessage): void {
    this.#feed.held.delete(this);
    this.#feed = feed;
    this.#message = message;
    feed.held.add(this);
  }

  ack(): void {
    this.#feed.held.delete(this);
    this.#feed.session.gatherAcks();
    this.#feed.channel.ack(this.#message);
  }

  /** Gives it back to the queue, where it keeps its place. */
  giveBack(): void {
    this.#feed.held.delete(this);
    if (!this.#feed.alive) return;
    this.#feed.session.gatherAcks();
    this.#feed.channel.nack(this.#message, false, true);
  }
}
