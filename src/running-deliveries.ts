import { Bag } from "./internal/bag.ts";
import type { Clock, Timer } from "./internal/clock.ts";
import type { RunningDelivery } from "./running-delivery.ts";

/**
 * What runs in a subscription, and until when each may: one timer watches all. A delivery that was settled in time, or that
 * leaves, does not touch the timer, which is set about once in a time limit and not once for each delivery.
 */
export class RunningDeliveries {
  readonly #clock: Clock;
  readonly #timedOut: (delivery: RunningDelivery) => void;
  readonly #bag = new Bag<RunningDelivery>();
  #timer: Timer | undefined;
  #timerDueAt = 0;

  /** @param timedOut hears of each delivery that is still open at its deadline, in the order of the deadlines */
  constructor(clock: Clock, timedOut: (delivery: RunningDelivery) => void) {
    this.#clock = clock;
    this.#timedOut = timedOut;
  }

  get size(): number {
    return this.#bag.size;
  }

  /** What runs at the time of the call. */
  all(): RunningDelivery[] {
    return [...this.#bag];
  }

  add(delivery: RunningDelivery, deadlineAt: number): void {
    this.#bag.add(delivery);
    this.limit(delivery, deadlineAt);
  }

  delete(delivery: RunningDelivery): void {
    this.#bag.delete(delivery);
  }

  /** Sets the deadline of one that runs, in milliseconds since the epoch. */
  limit(delivery: RunningDelivery, deadlineAt: number): void {
    delivery.deadlineAt = deadlineAt;
    this.#watch(deadlineAt);
  }

  /** Watches no longer. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #watch(dueAt: number): void {
    if (this.#timer !== undefined && this.#timerDueAt <= dueAt) return;
    this.#timer?.cancel();
    this.#timerDueAt = dueAt;
    this.#timer = this.#clock.after(dueAt - this.#clock.now(), () => this.#fire());
  }

  #fire(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    const watched = this.all().filter(({ state }) => state === "open");
    const due = watched.filter(({ deadlineAt }) => deadlineAt <= now);
    // What one of them does may settle another, or give it more time.
    for (const delivery of due.sort((one, other) => one.deadlineAt - other.deadlineAt))
      if (delivery.state === "open" && delivery.deadlineAt <= now) this.#timedOut(delivery);
    let nextAt = Number.POSITIVE_INFINITY;
    for (const { deadlineAt } of watched) if (deadlineAt > now) nextAt = Math.min(nextAt, deadlineAt);
    if (nextAt < Number.POSITIVE_INFINITY) this.#watch(nextAt);
  }
}
