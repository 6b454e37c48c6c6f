import { BrokerError } from "../../errors.ts";
import type { Clock } from "../../internal/clock.ts";
import { delay } from "../../internal/wait.ts";
import { classifyOperation, RESOURCE_LOCKED, replyCode } from "./classify.ts";
import type { Names } from "./names.ts";
import type { Session } from "./session.ts";

/** How long a call waits for others that work on the same queue, and how often it looks. */
const WAIT_MS = 30_000;
const LOOK_MS = 20;

/**
 * Lets one call at a time make or administer a queue, in all processes: an exclusive queue belongs to one connection, and goes
 * with it. Without it whoever reads from a queue that is just being made loses the whole connection (RabbitMQ 3.10).
 */
export class QueueLocks {
  readonly #names: Names;
  readonly #clock: Clock;
  /** The last call on each queue. What a lost connection left unfinished holds up nobody on the next one. */
  readonly #here = new WeakMap<Session, Map<string, Promise<void>>>();

  constructor(names: Names, clock: Clock) {
    this.#names = names;
    this.#clock = clock;
  }

  /** Does something while nobody else holds the queue. */
  async hold<T>(session: Session, queue: string, work: () => Promise<T>): Promise<T> {
    const here = this.#here.get(session) ?? new Map<string, Promise<void>>();
    this.#here.set(session, here);
    const earlier = here.get(queue) ?? Promise.resolve();
    const mine = earlier.then(() => this.#locked(session, queue, work));
    const settled = mine.then(
      () => {},
      () => {
        // The caller has the error; who waits behind goes on.
      },
    );
    here.set(queue, settled);
    try {
      return await mine;
    } finally {
      if (here.get(queue) === settled) here.delete(queue);
    }
  }

  async #locked<T>(session: Session, queue: string, work: () => Promise<T>): Promise<T> {
    const name = this.#names.lock(queue);
    await this.#acquire(session, name, queue);
    try {
      return await work();
    } finally {
      if (session.alive) await session.use(`the lock ${name}`, (channel) => channel.deleteQueue(name));
    }
  }

  async #acquire(session: Session, name: string, queue: string): Promise<void> {
    const deadlineAt = this.#clock.now() + WAIT_MS;
    for (;;) {
      try {
        await session.attempt((channel) => channel.assertQueue(name, { exclusive: true, durable: false }));
        return;
      } catch (error) {
        if (replyCode(error) !== RESOURCE_LOCKED) throw classifyOperation(error, `the lock ${name}`);
      }
      if (this.#clock.now() >= deadlineAt)
        throw new BrokerError("ERR_DRIVER", `Others have worked on the queue ${queue} for ${WAIT_MS} ms.`, {
          driver: "rabbitmq",
          retryable: true,
        });
      await delay(this.#clock, LOOK_MS);
    }
  }
}
