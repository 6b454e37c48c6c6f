import type { Channel, GetMessage } from "amqplib";
import { DEAD_LETTER_HEADERS, withoutDeadLetterHeader } from "../../dead-letter.ts";
import type { DeadLetter, DeadLetterAdmin } from "../../driver.ts";
import { classifyOperation, NOT_FOUND, replyCode } from "./classify.ts";
import type { Copies } from "./copies.ts";
import type { Names } from "./names.ts";
import { decode, type Received } from "./native-message.ts";
import type { QueueLocks } from "./queue-locks.ts";
import { closeChannel, type Session } from "./session.ts";

/** What the administration of dead letters needs. */
export interface DeadLetterAdminParts {
  readonly names: Names;
  readonly copies: Copies;
  readonly locks: QueueLocks;
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

  async list(topic: string): Promise<DeadLetter[]> {
    const letters = new Map<string, DeadLetter>();
    await this.#each(topic, async (received) => {
      letters.set(received.copy, describe(received));
      return "keep";
    });
    return [...letters.values()];
  }

  async redrive(topic: string, { id }: { id?: string | undefined }): Promise<number> {
    let count = 0;
    await this.#each(topic, async (received) => {
      if (id !== undefined && received.id !== id) return "keep";
      if (!(await this.#sendBack(received))) return "keep";
      count += 1;
      return "gone";
    });
    return count;
  }

  async drop(topic: string, { id }: { id?: string | undefined }): Promise<number> {
    let count = 0;
    await this.#each(topic, async (received) => {
      if (id !== undefined && received.id !== id) return "keep";
      count += 1;
      return "gone";
    });
    return count;
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

  async #each(topic: string, judge: (received: Received) => Promise<Verdict>): Promise<void> {
    const { names, locks } = this.#parts;
    const name = names.standing(topic);
    await this.#parts.persist((session) =>
      locks.hold(session, name, async () => {
        const channel = await session.channel();
        try {
          for (let kept = 0; ; ) {
            const message = await take(channel, name);
            if (message === undefined) {
              if (kept > 0) channel.nackAll(true);
              break;
            }
            if ((await judge(decode(message))) === "gone") channel.ack(message);
            else kept += 1;
          }
        } finally {
          await closeChannel(channel);
        }
      }),
    );
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

function describe({ id, topic, header, body, publishedAt }: Received): DeadLetter {
  const queue = header[DEAD_LETTER_HEADERS.queue];
  return {
    id,
    topic: header[DEAD_LETTER_HEADERS.topic] ?? topic,
    queue: queue === "" ? undefined : queue,
    reason: header[DEAD_LETTER_HEADERS.reason] ?? "",
    attempts: Number(header[DEAD_LETTER_HEADERS.attempts] ?? 0),
    firstAt: new Date(header[DEAD_LETTER_HEADERS.first] ?? publishedAt),
    lastAt: new Date(header[DEAD_LETTER_HEADERS.last] ?? publishedAt),
    header: withoutDeadLetterHeader(header),
    body: Uint8Array.prototype.slice.call(body),
  };
}
