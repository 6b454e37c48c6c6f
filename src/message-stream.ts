import type { Delivery } from "./delivery.ts";
import type { RunningDelivery } from "./running-delivery.ts";

/** Where a {@link MessageStream} takes its deliveries from. */
export interface StreamSource {
  pull(): Promise<RunningDelivery | undefined>;
  unsubscribe(): Promise<void>;
}

/**
 * Deliveries for `for await`. Leaving the loop drains: a delivery that was taken last and not settled is nacked, earlier
 * ones may still be settled within the drain deadline, what was not taken goes back.
 */
export class MessageStream implements AsyncIterableIterator<Delivery>, AsyncDisposable {
  readonly #source: Promise<StreamSource>;
  #last: RunningDelivery | undefined;
  #done = false;

  constructor(source: Promise<StreamSource>) {
    this.#source = source;
    source.catch(() => {
      // Told by `next`, which every loop calls: subscribing began before the loop did.
    });
  }

  /** Resolves when it is subscribed: everything published from then on arrives. Rejects with the errors of subscribing. */
  async ready(): Promise<void> {
    await this.#source;
  }

  async next(): Promise<IteratorResult<Delivery>> {
    if (this.#done) return { done: true, value: undefined };
    const source = await this.#source;
    const delivery = await source.pull();
    if (delivery === undefined) {
      this.#done = true;
      return { done: true, value: undefined };
    }
    this.#last = delivery;
    return { done: false, value: delivery };
  }

  async return(): Promise<IteratorResult<Delivery>> {
    this.#done = true;
    const source = await this.#source.catch(() => undefined);
    // Where subscribing failed, `next` or `ready` told it, and there is nothing to leave.
    if (source === undefined) return { done: true, value: undefined };
    const nacked = this.#last?.state === "open" ? this.#last.nack() : undefined;
    await source.unsubscribe();
    await nacked;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
