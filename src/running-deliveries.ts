import type { Clock, Timer } from "./internal/clock.ts";
import type { RunningDelivery } from "./running-delivery.ts";
import { type Deadline, Slot, type SlotOwner } from "./slot.ts";

/** What a {@link RunningDeliveries} tells its subscription. */
export interface RunningOwner extends SlotOwner {
  /** A delivery is still open at its deadline. They come in the order of the deadlines. */
  timedOut(delivery: RunningDelivery): void;
}

const RESOLVED = Promise.resolve();

/**
 * What runs in a subscription, each in a {@link Slot}, and until when: one timer watches all. A delivery that was settled in
 * time, or that leaves, does not touch the timer, which is set about once in a time limit and not once for each delivery.
 * Deliveries that start in one turn share their deadline, which counts from the end of that turn: the clock is read once for all
 * of them, and nobody's time runs out while the handlers of others keep the process busy.
 */
export class RunningDeliveries {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #owner: RunningOwner;
  /** Those in use come first. */
  readonly #slots: Slot[] = [];
  #used = 0;
  /** That of the deliveries which start now. */
  #deadline: Deadline | undefined;
  #timer: Timer | undefined;
  #timerDueAt = 0;

  /** @param limitMs how long each may run, in milliseconds */
  constructor(clock: Clock, limitMs: number, owner: RunningOwner) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#owner = owner;
  }

  get size(): number {
    return this.#used;
  }

  /** What runs at the time of the call. */
  all(): RunningDelivery[] {
    return this.#slots.slice(0, this.#used).map(({ delivery }) => delivery as RunningDelivery);
  }

  /** Gives a delivery a slot. */
  add(delivery: RunningDelivery): Slot {
    const slot = this.#slots[this.#used] ?? this.#addSlot();
    this.#used += 1;
    slot.delivery = delivery;
    slot.deadline = this.#deadline ??= this.#beginTurn();
    delivery.slot = slot;
    return slot;
  }

  /** Takes a delivery's slot from it. One whose handler still runs goes with the delivery: how that ends is nobody else's. */
  delete(delivery: RunningDelivery): void {
    const slot = delivery.slot as Slot;
    delivery.slot = undefined;
    this.#used -= 1;
    this.#put(this.#slots[this.#used] as Slot, slot.index);
    if (delivery.handlerEnded) {
      slot.delivery = undefined;
      this.#put(slot, this.#used);
      return;
    }
    const last = this.#slots.pop() as Slot;
    if (this.#used < this.#slots.length) this.#put(last, this.#used);
  }

  /** Gives one that runs so many milliseconds from now. */
  extend({ slot }: RunningDelivery, ms: number): void {
    if (slot === undefined) return;
    slot.deadline = { at: this.#clock.now() + ms };
    this.#watch(slot.deadline.at);
  }

  /** Watches no longer. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #addSlot(): Slot {
    const slot = new Slot(this.#owner);
    this.#put(slot, this.#slots.length);
    return slot;
  }

  #put(slot: Slot, index: number): void {
    slot.index = index;
    this.#slots[index] = slot;
  }

  #beginTurn(): Deadline {
    void RESOLVED.then(this.#endTurn);
    return { at: Number.POSITIVE_INFINITY };
  }

  readonly #endTurn = (): void => {
    const deadline = this.#deadline as Deadline;
    this.#deadline = undefined;
    if (this.#used === 0) return;
    deadline.at = this.#clock.now() + this.#limitMs;
    this.#watch(deadline.at);
  };

  #watch(dueAt: number): void {
    if (this.#timer !== undefined && this.#timerDueAt <= dueAt) return;
    this.#timer?.cancel();
    this.#timerDueAt = dueAt;
    this.#timer = this.#clock.after(dueAt - this.#clock.now(), () => this.#fire());
  }

  #fire(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    const deadlineOf = ({ slot }: RunningDelivery) => slot?.deadline.at ?? Number.POSITIVE_INFINITY;
    const watched = this.all().filter(({ state }) => state === "open");
    const due = watched.filter((delivery) => deadlineOf(delivery) <= now);
    // What one of them does may settle another, or give it more time.
    for (const delivery of due.sort((one, other) => deadlineOf(one) - deadlineOf(other)))
      if (delivery.state === "open" && deadlineOf(delivery) <= now) this.#owner.timedOut(delivery);
    let nextAt = Number.POSITIVE_INFINITY;
    for (const delivery of watched) {
      const at = deadlineOf(delivery);
      if (at > now) nextAt = Math.min(nextAt, at);
    }
    if (nextAt < Number.POSITIVE_INFINITY) this.#watch(nextAt);
  }
}
