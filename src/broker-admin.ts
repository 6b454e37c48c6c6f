import type { DeadLetter, DeadLetterChoice, DeadLetterTopic, Driver, QueueInfo } from "./driver.ts";
import { BrokerError, wrapError } from "./errors.ts";
import { abortable } from "./internal/wait.ts";
import { checkPattern, checkQueue, checkTopic, deadLetterTopic } from "./topics.ts";

/**
 * The queues of a broker. Every call rejects with `ERR_NOT_CONNECTED` while the broker is not connected, with `ERR_UNSUPPORTED` where
 * it keeps no queues, and with `ERR_INVALID_TOPIC` for a topic or queue that is none.
 */
export interface Queues {
  /** Every queue that the broker knows. */
  list(): Promise<QueueInfo[]>;
  /** Removes a queue with the messages it holds; resolves with whether it existed. A queue of live members begins anew, empty. */
  remove(topic: string, queue: string): Promise<boolean>;
}

/**
 * The dead letters of a broker. `topic` is the topic on which messages failed, or their `dlq.` topic. Every call rejects with
 * `ERR_NOT_CONNECTED` while the broker is not connected, with `ERR_UNSUPPORTED` where it keeps no dead letters, and with
 * `ERR_INVALID_TOPIC` for a topic that is none.
 */
export interface DeadLetters {
  /** Every dead-letter topic in which dead letters wait, by name. `ERR_UNSUPPORTED` also where the broker cannot tell. */
  topics(): Promise<DeadLetterTopic[]>;
  /** The dead letters that wait, oldest first. */
  list(topic: string): Promise<DeadLetter[]>;
  /**
   * Sends dead letters, or those with these ids, back to the queue that failed: same id, attempt 1, without the added
   * headers. One that failed in a broadcast subscription goes back only while that lives. Each is removed once it is
   * confirmed there. Resolves with how many went; rejects with the signal's reason when aborted, what was not reached stays.
   */
  redrive(topic: string, options?: DeadLetterOptions): Promise<number>;
  /** Removes dead letters, or those with these ids; resolves with how many there were. The signal is that of `redrive`. */
  drop(topic: string, options?: DeadLetterOptions): Promise<number>;
}

/** Which dead letters to redrive or drop, and what to tell meanwhile. */
export interface DeadLetterOptions {
  /**
   * Only the dead letters of the message with this id, or of the messages with these. Default: all of the topic; an empty list means
   * none. Anything else is `ERR_INVALID_OPTION`.
   */
  id?: string | readonly string[];
  /** Stops it between two dead letters. */
  signal?: AbortSignal;
  /** Called now and then with how many are done so far. */
  onProgress?: (count: number) => void;
}

/** What both admin interfaces and `createQueue` share: finding the driver's part, and one wrapping of its errors. */
export class BrokerAdmin {
  readonly queues: Queues;
  readonly deadLetters: DeadLetters;
  readonly #driver: () => Driver;

  constructor(driver: () => Driver) {
    this.#driver = driver;
    this.queues = {
      list: () => this.#call("queues", (admin) => admin.list()),
      remove: async (topic, queue) => {
        checkPattern(topic);
        checkQueue(queue);
        return this.#call("queues", (admin) => admin.remove(topic, queue));
      },
    };
    this.deadLetters = {
      topics: async () => {
        const topics = await this.#call("deadLetters", (admin) => {
          if (admin.topics !== undefined) return admin.topics();
          const { name } = this.#driver();
          const message = `The ${name} broker cannot list its dead-letter topics: name the topic.`;
          throw new BrokerError("ERR_UNSUPPORTED", message, { driver: name });
        });
        return topics.sort((one, other) => (one.topic < other.topic ? -1 : 1));
      },
      list: async (topic) => this.#call("deadLetters", (admin) => admin.list(checked(topic))),
      redrive: (topic, options) => this.#change("redrive", topic, options),
      drop: (topic, options) => this.#change("drop", topic, options),
    };
  }

  async createQueue(topic: string, queue: string): Promise<void> {
    await this.#call("queues", (admin) => admin.create(topic, queue));
  }

  async #change(verb: "redrive" | "drop", topic: string, options: DeadLetterOptions = {}): Promise<number> {
    const { id, signal, onProgress } = options;
    const choice: DeadLetterChoice = { ids: id === undefined ? undefined : idsOf(id), signal, onProgress };
    signal?.throwIfAborted();
    return abortable(
      this.#call("deadLetters", (admin) => admin[verb](checked(topic), choice)),
      signal,
    );
  }

  async #call<Part extends "queues" | "deadLetters", Result>(
    part: Part,
    call: (admin: NonNullable<Driver[Part]>) => Promise<Result>,
  ): Promise<Result> {
    const driver = this.#driver();
    const admin = driver[part];
    if (admin === undefined) {
      const what = part === "queues" ? "queues" : "dead letters";
      throw new BrokerError("ERR_UNSUPPORTED", `The ${driver.name} broker keeps no ${what}.`, { driver: driver.name });
    }
    try {
      return await call(admin);
    } catch (error) {
      throw wrapError(error, "ERR_DRIVER", `The ${driver.name} broker failed`, { driver: driver.name });
    }
  }
}

function idsOf(id: unknown): ReadonlySet<string> {
  const ids: readonly unknown[] = Array.isArray(id) ? id : [id];
  if (ids.every((one) => typeof one === "string")) return new Set(ids);
  throw new BrokerError("ERR_INVALID_OPTION", "id is the id of a message, or a list of such ids.");
}

function checked(topic: string): string {
  checkTopic(topic);
  return deadLetterTopic(topic);
}
