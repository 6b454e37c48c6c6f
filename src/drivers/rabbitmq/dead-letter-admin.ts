import type { Channel, GetMessage } from "amqplib";
import { DEAD_LETTER_HEADERS, showDeadLetter, withoutDeadLetterHeader } from "../../dead-letter.ts";
import type { DeadLetter, DeadLetterAdmin, DeadLetterChoice, DeadLetterTopic } from "../../driver.ts";
import { classifyOperation, NOT_FOUND, replyCode } from "./classify.ts";
import type { Copies } from "./copies.ts";
import { countQueues } from "./count-queues.ts";
import type { Inquiry } from "./inquiry.ts";
import type { Names } from "./names.ts";
import { decode, type Received } from "./native-message.ts";
import type { QueueLocks } from "./queue-locks.ts";
import type { QueueRecords } from "./queue-records.ts";
import { closeChannel, type Session } from "./session.ts";

/** What the administration of dead letters needs. */
export interface DeadLetterAdminParts {
  readonly names: Names;
  readonly copies: Copies;
  readonly locks: QueueLocks;
  readonly records: QueueRecords;
  readonly inquiry: Inquiry;
  /** Makes a queue that a redrive goes to, where it was removed. */
  makeQueue(pattern: string, queue: string): Promise<void>;
  /** Does something on the connection, again on the next one where it breaks. */
  persist<T>(work: (session: Session) => Promise<T>): Promise<T>;
}

/** What to do with a dead letter that was taken out: put it back, in its place, or let it go. */
type Verdict = "keep" | "gone";

/**
 * Lists, redrives and drops dead letters. A queue cannot be looked into: its messages are taken out on a channel of their own
 * and given back, in their order, when the channel closes. Meanwhile a reader sees none; one call at a time works on a topic.
 */
export class RabbitmqDeadLetters implements DeadLetterAdmin {
  readonly #parts: DeadLetterAdminParts;

  constructor(parts: DeadLetterAdminParts) {
    this.#parts = parts;
  }

  topics(): Promise<DeadLetterTopic[]> {
    const { names, records, inquiry } = this.#parts;
    return this.#parts.persist(async (session) => {
      const byName = new Map((await records.listStanding()).map((topic) => [names.standing(topic), topic]));
      const counts = await countQueues(session, [...byName.keys()]);
      const held = await inquiry.ask(session);
      return [...byName]
        .map(([name, topic]) => ({ topic, messages: (counts.get(name)?.messages ?? 0) + (held.get(name) ?? 0) }))
        .filter(({ messages }) => messages > 0);
    });
  }

  async list(topic: string): Promise<DeadLetter[]> {
    const letters = new Map<string, DeadLetter>();
    await this.#each(topic, {}, async (received) => {
      const { copy, id, header, body, publishedAt } = received;
      letters.set(copy, showDeadLetter({ id, topic, header, body, keptAt: publishedAt }));
      return "keep";
    });
    return [...letters.values()];
  }

  redrive(topic: string, choice: DeadLetterChoice): Promise<number> {
    return this.#each(topic, choice, async (received) => ((await this.#sendBack(received)) ? "gone" : "keep"));
  }

  drop(topic: string, choice: DeadLetterChoice): Promise<number> {
    return this.#each(topic, choice, async () => "gone");
  }

  /** To the queue that failed, confirmed; whether it took it. */
  async #sendBack(received: Received): Promise<boolean> {
    const { names, copies } = this.#parts;
    const { origin } = received;
    if (origin === undefined) return false;
    const { pattern, queue, subscriptionId } = origin;
    if (queue === undefined && subscriptionId === undefined) return false;
    if (queue !== undefined) await this.#parts.makeQueue(pattern, queue);
    const name = queue === undefined ? names.broadcast(String(subscriptionId)) : names.queue(pattern, queue);
    const state = await copies.now(name, {
      topic: received.header[DEAD_LETTER_HEADERS.topic] ?? pattern,
      id: received.id,
      key: received.key,
      header: withoutDeadLetterHeader(received.header),
      body: received.body,
      origin: undefined,
    });
    return state === "stored";
  }

  /** Judges those that are there at the call; resolves with how many of them are gone. Stops where the signal is aborted. */
  async #each(
    topic: string,
    { ids, signal, onProgress }: DeadLetterChoice,
    judge: (received: Received) => Promise<Verdict>,
  ): Promise<number> {
    const { names, locks } = this.#parts;
    const name = names.standing(topic);
    let gone = 0;
    await this.#parts.persist((session) =>
      locks.hold(session, name, async () => {
        const channel = await session.channel();
        try {
          let kept = 0;
          // All are out before the first is judged: one that is sent back may be here again at once.
          for (const message of await takeAll(channel, name)) {
            const received = decode(message);
            const isMeant = !signal?.aborted && (ids === undefined || ids.has(received.id));
            if (!isMeant || (await judge(received)) === "keep") {
              kept += 1;
              continue;
            }
            channel.ack(message);
            gone += 1;
            onProgress?.(gone);
          }
          if (kept > 0) channel.nackAll(true);
        } finally {
          await closeChannel(channel);
        }
      }),
    );
    return gone;
  }
}

async function takeAll(channel: Channel, queue: string): Promise<GetMessage[]> {
  const messages: GetMessage[] = [];
  for (;;) {
    const message = await take(channel, queue);
    if (message === undefined) return messages;
    messages.push(message);
  }
}

/** The next message of a queue; `undefined` when there is none, or no queue. */
async function take(channel: Channel, queue: string): Promise<GetMessage | undefined> {
  try {
    const message = await channel.get(queue);
    return message === false ? undefined : message;
  } catch (error) {
    if (replyCode(error) === NOT_FOUND) return undefined;
    throw classifyOperation(error, `the queue ${queue}`);
  }
}
