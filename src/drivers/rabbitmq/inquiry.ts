import { randomUUID } from "node:crypto";
import type { ConsumeMessage } from "amqplib";
import type { Clock } from "../../internal/clock.ts";
import { type Deferred, deferred } from "../../internal/deferred.ts";
import { before } from "../../internal/wait.ts";
import { classifyOperation } from "./classify.ts";
import type { Names } from "./names.ts";
import { encodeOwn } from "./native-message.ts";
import type { PublishWindow } from "./publish-window.ts";
import { closeChannel, type Session } from "./session.ts";
import { QUORUM } from "./topology.ts";
import { within } from "./within.ts";

/** How long the other processes may take to answer. */
const ANSWER_MS = 1_000;

/** How many messages of each queue one process, or all together, hold unsettled or have put off, by native name. */
export type Holdings = Map<string, number>;

/** What an {@link Inquiry} needs from its driver. */
export interface InquiryHost {
  readonly names: Names;
  readonly window: PublishWindow;
  readonly clock: Clock;
  /** What this process holds. */
  holdings(): Holdings;
  /** Binds the queues of this process's subscriptions again: an exchange was removed. */
  bindAgain(session: Session): Promise<void>;
  onError(error: unknown, what: string): void;
}

/** A question's content where the others are to bind their queues again; otherwise they are only to say what they hold. */
const BIND_AGAIN = { bind: true } as const;

interface Question {
  readonly totals: Holdings;
  /** How many processes have not answered. */
  left: number;
  readonly done: Deferred<void>;
}

/**
 * Asks all processes how many messages of each queue they hold unsettled or have put off, which AMQP does not tell, or to bind
 * their queues again. Every process that ever had a subscription listens on a queue of its own, and so does whoever asks.
 */
export class Inquiry {
  readonly #host: InquiryHost;
  readonly #questions = new Map<string, Question>();
  #listening: { readonly session: Session; readonly queue: Promise<string> } | undefined;

  constructor(host: InquiryHost) {
    this.#host = host;
  }

  /** Listens on this connection, so that others learn what this process holds. Idempotent. */
  async listen(session: Session): Promise<void> {
    await this.#own(session);
  }

  /** What all processes hold together, as far as they answer in time. */
  ask(session: Session): Promise<Holdings> {
    return this.#ask(session, {});
  }

  /** Has every process bind the queues of its subscriptions again; resolves when they have, as far as they answer in time. */
  async askToBind(session: Session): Promise<void> {
    await this.#ask(session, BIND_AGAIN);
  }

  async #ask(session: Session, content: object): Promise<Holdings> {
    const { names, window, clock } = this.#host;
    const replyTo = await this.#own(session);
    const { consumerCount } = await session.use("the listeners", (channel) => channel.checkQueue(names.listeners));
    const question: Question = { totals: new Map(), left: consumerCount, done: deferred() };
    const correlationId = randomUUID();
    this.#questions.set(correlationId, question);
    try {
      const asked = encodeOwn(content, { correlationId, replyTo, persistent: false });
      await within(clock, window.publish(names.inquiry, "", asked));
      await before(clock, clock.now() + ANSWER_MS, question.done.promise);
    } finally {
      this.#questions.delete(correlationId);
    }
    return question.totals;
  }

  #own(session: Session): Promise<string> {
    if (this.#listening?.session === session) return this.#listening.queue;
    const listening = { session, queue: this.#open(session) };
    this.#listening = listening;
    // The caller has the error; the next one tries again.
    listening.queue.catch(() => {
      if (this.#listening === listening) this.#listening = undefined;
    });
    return listening.queue;
  }

  async #open(session: Session): Promise<string> {
    const { names } = this.#host;
    const channel = await session.channel();
    try {
      await channel.assertExchange(names.inquiry, "fanout", { durable: true });
      await channel.assertQueue(names.listeners, { durable: true, arguments: QUORUM });
      const { queue } = await channel.assertQueue("", { exclusive: true, autoDelete: true, durable: false });
      await channel.bindQueue(queue, names.inquiry, "");
      const removed = () => void closeChannel(channel);
      await channel.consume(queue, (message) => (message === null ? removed() : this.#take(session, message)), {
        noAck: true,
      });
      // Last: who is counted answers.
      await channel.consume(names.listeners, (message) => message === null && removed(), { noAck: true });
      channel.once("close", () => this.#lost(session));
      return queue;
    } catch (error) {
      await closeChannel(channel);
      throw classifyOperation(error, `the exchange ${names.inquiry}`);
    }
  }

  /** Somebody removed a queue of it, or the server ended the channel. */
  #lost(session: Session): void {
    if (this.#listening?.session !== session) return;
    this.#listening = undefined;
    // A connection that ends closes its channels first.
    queueMicrotask(() => {
      if (!session.alive) return;
      this.#own(session).catch((error: unknown) => {
        if (session.alive) this.#host.onError(error, "Listening for what other processes ask failed");
      });
    });
  }

  #take(session: Session, { properties, content }: ConsumeMessage): void {
    const { correlationId, replyTo } = properties;
    if (typeof replyTo === "string") void this.#answer(session, replyTo, String(correlationId), parsed(content));
    else this.#hear(String(correlationId), parsed(content));
  }

  async #answer(session: Session, replyTo: string, correlationId: string, asked: unknown): Promise<void> {
    const { window, holdings, bindAgain, onError } = this.#host;
    if ((asked as Partial<typeof BIND_AGAIN> | null)?.bind === true) {
      try {
        await bindAgain(session);
      } catch (error) {
        if (session.alive) onError(error, "Binding the queues again failed, after an exchange was removed");
      }
    }
    const message = encodeOwn([...holdings()], { correlationId, persistent: false, mandatory: false });
    const unheard = () => {
      // Whoever asked has left, or asks again on the next connection.
    };
    if (session.alive) window.publish("", replyTo, message).then(unheard, unheard);
  }

  #hear(correlationId: string, held: unknown): void {
    const question = this.#questions.get(correlationId);
    if (question === undefined || !Array.isArray(held)) return;
    for (const [queue, count] of held as [string, number][])
      question.totals.set(queue, (question.totals.get(queue) ?? 0) + count);
    question.left -= 1;
    if (question.left === 0) question.done.resolve();
  }
}

/** Somebody else's message says nothing. */
function parsed(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString("utf8"));
  } catch {
    return null;
  }
}
