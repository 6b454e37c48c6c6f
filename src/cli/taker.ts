import type { Delivery } from "../delivery.ts";
import { type Deferred, deferred } from "../internal/deferred.ts";

/**
 * Handles messages until a given number of them is done: prints each and acknowledges it. It never starts one more than
 * asked for: the handlers of the last ones keep their slots until the subscription has stopped.
 */
export class Taker {
  readonly #limit: number;
  readonly #print: (delivery: Delivery) => Promise<void>;
  readonly #end: Deferred<void> = deferred();
  readonly #stopping: Deferred<void> = deferred();
  #taken = 0;
  #done = 0;
  /** Handlers that another message may start in. */
  #free: number;

  /**
   * @param limit how many messages to take; `undefined`: until `end` is called
   * @param slots how many handlers the subscription runs at once
   */
  constructor(limit: number | undefined, print: (delivery: Delivery) => Promise<void>, slots: number) {
    this.#limit = limit ?? Number.POSITIVE_INFINITY;
    this.#print = print;
    this.#free = slots;
    // Whoever awaits `ended` hears of a failure; it may come before that.
    this.#end.promise.catch(() => {});
  }

  /** The handler, for a subscription that acks by hand and runs no more than `limit` handlers at once. */
  readonly take = async (delivery: Delivery): Promise<void> => {
    this.#taken += 1;
    this.#free -= 1;
    try {
      await this.#print(delivery);
    } catch (error) {
      this.fail(error);
      await this.#stopping.promise;
      // Nobody saw it: another member of the queue may have it.
      await delivery.nack({ delayMs: 0 });
      return;
    }
    try {
      await delivery.ack();
    } catch (error) {
      this.fail(error);
      await this.#stopping.promise;
      return;
    }
    this.#done += 1;
    if (this.#done === this.#limit) this.end();
    // Messages come, and start in what is free, until the subscription has stopped: that may take a while.
    if (this.#free + 1 > this.#limit - this.#taken) await this.#stopping.promise;
    else this.#free += 1;
  };

  /** Enough: `ended` goes on. */
  end(): void {
    this.#end.resolve();
  }

  /** Something went wrong: `ended` rejects with it. */
  fail(error: unknown): void {
    this.#end.reject(error);
  }

  /**
   * Waits for the end, then stops the subscription and waits until it is drained.
   * @param unsubscribe starts no handler any more from the moment it is called
   * @throws what `fail` was told, or what printing or acknowledging threw
   */
  async ended(unsubscribe: () => Promise<void>): Promise<void> {
    try {
      await this.#end.promise;
    } finally {
      const drained = unsubscribe();
      this.#stopping.resolve();
      await drained;
    }
  }
}
