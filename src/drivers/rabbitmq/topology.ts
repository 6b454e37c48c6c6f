import type { Channel } from "amqplib";
import { classifyOperation, NOT_FOUND, replyCode } from "./classify.ts";
import { bindingKey, type Names } from "./names.ts";
import { FIELD } from "./native-message.ts";
import type { Settings } from "./options.ts";
import type { QueueLocks } from "./queue-locks.ts";
import { closeChannel, type Session } from "./session.ts";

/** Arguments of a queue. */
type Arguments = Readonly<Record<string, unknown>>;

/**
 * A replicated queue. With a delivery limit, and only then, RabbitMQ puts what is given back in front of what waits; this one is
 * never reached, since a message that reaches it is dropped.
 */
export const QUORUM: Arguments = { "x-queue-type": "quorum", "x-delivery-limit": 1_000_000_000 };

/** How large a stream may grow, and its parts, in bytes: what is older is forgotten. */
const STREAM_BYTES = { excuses: 8_000_000, records: 64_000_000 } as const;
const SEGMENTS = 8;

/**
 * Makes, on one connection, the exchanges and queues that the driver needs. Every call is idempotent. `queue` and `standing`
 * are for who holds the queue's lock; the others take it where they need it.
 */
export class Topology {
  readonly names: Names;
  readonly session: Session;
  readonly #locks: QueueLocks;
  readonly #broadcast: Arguments;
  readonly #ladder = new Map<number, Promise<void>>();
  readonly #standing = new Map<string, Promise<void>>();

  constructor(session: Session, names: Names, locks: QueueLocks, { broadcastExpiryMs, broadcastQueues }: Settings) {
    this.session = session;
    this.#locks = locks;
    this.names = names;
    const kind = broadcastQueues === "quorum" ? QUORUM : { "x-queue-type": "classic" };
    this.#broadcast = { ...kind, "x-expires": broadcastExpiryMs };
  }

  /** What every broker needs: the exchanges. */
  async base(): Promise<void> {
    const { messages, deadLetters, delay, back, gone } = this.names;
    await this.session.use(`the exchanges ${messages} and ${messages}.*`, async (channel) => {
      await Promise.all([
        channel.assertExchange(messages, "topic", { durable: true }),
        channel.assertExchange(deadLetters, "topic", { durable: true }),
        channel.assertExchange(delay, "headers", { durable: true }),
        channel.assertExchange(gone, "fanout", { durable: true }),
        channel.assertExchange(back, "direct", { durable: true, alternateExchange: gone }),
        // What nobody takes would otherwise stay in the ladder and be tried again for ever.
        // Replicated, as whatever every connection needs: a queue on one node would keep all others from connecting without it.
        channel.assertQueue(gone, { durable: true, arguments: { ...QUORUM, "x-message-ttl": 0 } }),
        channel.bindQueue(gone, gone, ""),
      ]);
    });
  }

  /** Whether an exchange is missing that queues are bound to. */
  async isUnbound(): Promise<boolean> {
    const { messages, deadLetters, back } = this.names;
    try {
      await this.session.attempt(async (channel) => {
        for (const exchange of [messages, deadLetters, back]) await channel.checkExchange(exchange);
      });
      return false;
    } catch (error) {
      if (replyCode(error) === NOT_FOUND) return true;
      throw classifyOperation(error, `the exchanges ${messages} and ${messages}.*`);
    }
  }

  /** Binds queues that exist again, by native name and pattern; those that do not exist are left out. */
  async bindAgain(queues: ReadonlyMap<string, string>): Promise<void> {
    let channel = await this.session.channel();
    try {
      for (const [name, pattern] of queues) {
        try {
          await this.#bind(channel, name, pattern);
        } catch (error) {
          if (replyCode(error) !== NOT_FOUND) throw classifyOperation(error, `the queue ${JSON.stringify(name)}`);
          channel = await this.session.channel();
        }
      }
    } finally {
      await closeChannel(channel);
    }
  }

  /** The queue that members of a queue name share. */
  queue(pattern: string, queue: string): Promise<void> {
    return this.#bound(this.names.queue(pattern, queue), pattern, QUORUM);
  }

  /** The queue of a broadcast subscription: it outlives a short cut of the connection, but not its subscriber for long. */
  broadcast(pattern: string, subscriptionId: string): Promise<void> {
    return this.#bound(this.names.broadcast(subscriptionId), pattern, this.#broadcast);
  }

  /** The standing queue of a dead-letter topic. */
  standing(topic: string): Promise<void> {
    return this.#bound(this.names.standing(topic), topic, QUORUM);
  }

  /** As {@link standing}, once a connection. */
  standingOnce(topic: string): Promise<void> {
    const name = this.names.standing(topic);
    return remembered(this.#standing, topic, () => this.#locks.hold(this.session, name, () => this.standing(topic)));
  }

  /** The queue of the ladder that holds messages for `delayMs` and then sends them back, with confirms, to whose they are. */
  ladder(delayMs: number): Promise<void> {
    return remembered(this.#ladder, delayMs, async () => {
      const { delay, back } = this.names;
      const name = this.names.ladder(delayMs);
      const make = async (channel: Channel) => {
        const kind = {
          ...QUORUM,
          "x-message-ttl": delayMs,
          "x-dead-letter-exchange": back,
          "x-dead-letter-strategy": "at-least-once",
          "x-overflow": "reject-publish",
        };
        await channel.assertQueue(name, { durable: true, arguments: kind });
        await channel.bindQueue(name, delay, "", { "x-match": "all", [FIELD.delay]: delayMs });
      };
      await this.#locks.hold(this.session, name, () => this.#declare(name, make));
    });
  }

  /** A queue of the ladder turned out to be gone. */
  forgetLadder(delayMs: number): void {
    this.#ladder.delete(delayMs);
  }

  /** One of the streams. */
  async stream(kind: keyof typeof STREAM_BYTES): Promise<void> {
    const name = this.names[kind];
    const bytes = STREAM_BYTES[kind];
    const bounds = { "x-max-length-bytes": bytes, "x-stream-max-segment-size-bytes": bytes / SEGMENTS };
    await this.#locks.hold(this.session, name, () =>
      this.#declare(name, (channel) =>
        channel.assertQueue(name, { durable: true, arguments: { "x-queue-type": "stream", ...bounds } }),
      ),
    );
  }

  #bound(name: string, pattern: string, kind: Arguments): Promise<void> {
    // Fails before anything is made.
    bindingKey(pattern);
    return this.#declare(name, async (channel) => {
      await channel.assertQueue(name, { durable: true, arguments: kind });
      await this.#bind(channel, name, pattern);
    });
  }

  async #bind(channel: Channel, name: string, pattern: string): Promise<void> {
    await Promise.all([
      channel.bindQueue(name, this.names.exchangeOf(pattern), bindingKey(pattern)),
      channel.bindQueue(name, this.names.back, name),
    ]);
  }

  async #declare(name: string, work: (channel: Channel) => Promise<unknown>): Promise<void> {
    await this.session.use(`the queue ${JSON.stringify(name)}`, work);
  }
}

function remembered<K>(known: Map<K, Promise<void>>, key: K, make: () => Promise<void>): Promise<void> {
  let made = known.get(key);
  if (made === undefined) {
    made = make();
    known.set(key, made);
    // The caller has the error; the next one tries again.
    made.catch(() => known.delete(key));
  }
  return made;
}
