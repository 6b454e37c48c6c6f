import type { DeadLetter, Driver, QueueInfo } from "./driver.ts";
import { BrokerError, wrapError } from "./errors.ts";
import { checkPattern, checkQueue, checkTopic, deadLetterTopic } from "./topics.ts";

/** The queues of a broker. All calls reject with `ERR_NOT_CONNECTED`, or `ERR_UNSUPPORTED` where the broker keeps none. */
export interface Queues {
  /** Every queue that the broker knows. */
  list(): Promise<QueueInfo[]>;
  /** Removes a queue with the messages it holds; resolves with whether it existed. A queue of live members begins anew, empty. */
  remove(topic: string, queue: string): Promise<boolean>;
}

/**
 * The dead letters of a broker. `topic` is the topic on which messages failed, or their `dlq.` topic. All calls reject with
 * `ERR_NOT_CONNECTED`, or `ERR_UNSUPPORTED` where the broker keeps none.
 */
export interface DeadLetters {
  /** The dead letters that wait, oldest first. */
  list(topic: string): Promise<DeadLetter[]>;
  /**
   * Sends dead letters, or the one with this id, back to the queue that failed: same id, attempt 1, without the added
   * headers. One that failed in a broadcast subscription goes back only while that lives. Resolves with how many went.
   */
  redrive(topic: string, options?: { id?: string }): Promise<number>;
  /** Removes dead letters, or the one with this id; resolves with how many there were. */
  drop(topic: string, options?: { id?: string }): Promise<number>;
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
      list: async (topic) => this.#call("deadLetters", (admin) => admin.list(checked(topic))),
      redrive: async (topic, options = {}) =>
        this.#call("deadLetters", (admin) => admin.redrive(checked(topic), { id: options.id })),
      drop: async (topic, options = {}) =>
        this.#call("deadLetters", (admin) => admin.drop(checked(topic), { id: options.id })),
    };
  }

  async createQueue(topic: string, queue: string): Promise<void> {
    await this.#call("queues", (admin) => admin.create(topic, queue));
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

function checked(topic: string): string {
  checkTopic(topic);
  return deadLetterTopic(topic);
}
