import { type Clock, rested, type Timer } from "./clock.ts";

/** An item of a {@link DeadlineList}: the list keeps its links in the item, so that adding and removing allocate nothing. */
export interface Timed {
  deadlineAt: number;
  previousTimed: Timed | undefined;
  nextTimed: Timed | undefined;
}

/** Items ordered by deadline, on one timer. Adding an item whose deadline is not before the others' is constant time. */
export class DeadlineList<T extends Timed> {
  readonly #clock: Clock;
  readonly #expired: (item: T) => void;
  #first: Timed | undefined;
  #last: Timed | undefined;
  #timer: Timer | undefined;
  #timerDueAt = 0;
  /** Whether the timer runs although there is nothing to watch. */
  #resting = false;

  constructor(clock: Clock, expired: (item: T) => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  add(item: T, deadlineAt: number): void {
    item.deadlineAt = deadlineAt;
    let before = this.#last;
    while (before !== undefined && before.deadlineAt > deadlineAt) before = before.previousTimed;
    const after = before === undefined ? this.#first : before.nextTimed;
    item.previousTimed = before;
    item.nextTimed = after;
    if (before === undefined) this.#first = item;
    else before.nextTimed = item;
    if (after === undefined) this.#last = item;
    else after.previousTimed = item;
    // A timer that is set for one that has left may be due later than this one.
    if (this.#timer === undefined || deadlineAt < this.#timerDueAt) this.#arm();
    else if (this.#resting) this.#timer.keepAlive?.(true);
    this.#resting = false;
  }

  /** Takes an item out; one that is not in the list is left alone. */
  remove(item: T): void {
    const { previousTimed: before, nextTimed: after } = item;
    if (before === undefined && this.#first !== item) return;
    if (before === undefined) this.#first = after;
    else before.nextTimed = after;
    if (after === undefined) this.#last = before;
    else after.previousTimed = before;
    item.previousTimed = undefined;
    item.nextTimed = undefined;
  }

  /** Drops all items and the timer. */
  clear(): void {
    while (this.#first !== undefined) this.remove(this.#first as T);
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Nothing is left to watch: the timer does not keep the process alive until it fires. */
  rest(): void {
    if (this.#first !== undefined || this.#timer === undefined || this.#resting) return;
    this.#timer = rested(this.#timer);
    this.#resting = this.#timer !== undefined;
  }

  #arm(): void {
    const first = this.#first;
    if (first === undefined) return;
    this.#timer?.cancel();
    this.#timerDueAt = first.deadlineAt;
    this.#timer = this.#clock.after(first.deadlineAt - this.#clock.now(), () => this.#fire());
  }

  // Settled items have left the list without touching the timer, so that it is set once per timeout and not per item.
  #fire(): void {
    this.#timer = undefined;
    this.#resting = false;
    const now = this.#clock.now();
    while (this.#first !== undefined && this.#first.deadlineAt <= now) {
      const item = this.#first as T;
      this.remove(item);
      this.#expired(item);
    }
    if (this.#timer === undefined) this.#arm();
  }
}
