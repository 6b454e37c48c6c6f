import { randomUUID } from "node:crypto";
import type { Clock } from "../../internal/clock.ts";
import { type Deferred, deferred } from "../../internal/deferred.ts";
import { before } from "../../internal/wait.ts";
import type { Names } from "./names.ts";
import { encodeOwn } from "./native-message.ts";
import type { PublishWindow } from "./publish-window.ts";
import type { Session } from "./session.ts";

/** How long the other processes may take to answer. */
const ANSWER_MS = 1_000;

/** How many messages of each queue one process, or all together, hold unsettled or have put off, by native name. */
export type Holdings = Map<string, number>;

interface Question {
  readonly totals: Holdings;
  /** How many processes have not answered. */
  left: number;
  readonly done: Deferred<void>;
}

/**
 * Asks all processes how many messages of each queue they hold unsettled or have put off, which AMQP does not tell. Every
 * process that ever had a member listens on a queue of its own, and so does whoever asks.
 */
export class Inquiry {
  readonly #names: Names;
  readonly #window: PublishWindow;
  readonly #clock: Clock;
  readonly #holdings: () => Holdings;
  readonly #questions = new Map<string, Question>();
  #listening: { readonly session: Session; readonly queue: Promise<string> } | undefined;

  constructor(names: Names, window: PublishWindow, clock: Clock, holdings: () => Holdings) {
    this.#names = names;
    this.#window = window;
    this.#clock = clock;
    this.#holdings = holdings;
  }

  /** Listens on this connection, so that others learn what this process holds. Idempotent. */
  async listen(session: Session): Promise<void> {
    await this.#own(session);
  }

  /** What all processes hold together, as far as they answer in time. */
  async ask(session: Session): Promise<Holdings> {
    const replyTo = await this.#own(session);
    const { consumerCount } = await session.use("the listeners", (channel) =>
      channel.checkQueue(this.#names.listeners),
    );
    const question: Question = { totals: new Map(), left: consumerCount, done: deferred() };
    const correlationId = randomUUID();
    this.#questions.set(correlationId, question);
    try {
      const asked = encodeOwn({}, { correlationId, replyTo, persistent: false });
      await this.#window.publish(this.#names.inquiry, "", asked);
      await before(this.#clock, this.#clock.now() + ANSWER_MS, question.done.promise);
    } finally {
      this.#questions.delete(correlationId);
    }
    return question.totals;
  }

  #own(session: Session): Promise<string> {
    if (this.#listening?.session !== session) this.#listening = { session, queue: this.#open(session) };
    return this.#listening.queue;
  }

  async #open(session: Session): Promise<string> {
    const channel = await session.channel();
    const { queue } = await channel.assertQueue("", { exclusive: true, autoDelete: true, durable: false });
    await channel.bindQueue(queue, this.#names.inquiry, "");
    await channel.consume(
      queue,
      (message) => {
        if (message === null) return;
        const { correlationId, replyTo } = message.properties;
        const { content } = message;
        if (typeof replyTo === "string") this.#answer(session, replyTo, String(correlationId));
        else this.#hear(String(correlationId), content);
      },
      { noAck: true },
    );
    // Last: who is counted answers.
    await channel.consume(this.#names.listeners, () => {}, { noAck: true });
    return queue;
  }

  #answer(session: Session, replyTo: string, correlationId: string): void {
    const message = encodeOwn([...this.#holdings()], { correlationId, persistent: false, mandatory: false });
    const unheard = () => {
      // Whoever asked has left, or asks again on the next connection.
    };
    if (session.alive) this.#window.publish("", replyTo, message).then(unheard, unheard);
  }

  #hear(correlationId: string, content: Buffer): void {
    const question = this.#questions.get(correlationId);
    if (question === undefined) return;
    for (const [queue, count] of JSON.parse(content.toString("utf8")) as [string, number][])
      question.totals.set(queue, (question.totals.get(queue) ?? 0) + count);
    question.left -= 1;
    if (question.left === 0) question.done.resolve();
  }
}
