import type { Clock, Timer } from "./clock.ts";

/** One thing that the {@link Agenda} will do. */
export interface Appointment {
  /** Milliseconds since the epoch. */
  readonly dueAt: number;
  cancelled: boolean;
  readonly run: () => void;
}

/** Many delayed actions on one timer: a binary heap ordered by due time, first come first served among equals. */
export class Agenda {
  readonly #clock: Clock;
  readonly #heap: (Appointment & { readonly order: number })[] = [];
  #order = 0;
  #timer: Timer | undefined;
  #timerDueAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs `run` at `dueAt` (milliseconds since the epoch) or as soon after as the process gets to it, never before. */
  at(dueAt: number, run: () => void): Appointment {
    const appointment = { dueAt, run, cancelled: false, order: this.#order++ };
    this.#heap.push(appointment);
    this.#up(this.#heap.length - 1);
    this.#arm();
    return appointment;
  }

  cancel(appointment: Appointment): void {
    appointment.cancelled = true;
    this.#dropCancelled();
    this.#arm();
  }

  /** Forgets everything. */
  clear(): void {
    this.#heap.length = 0;
    this.#arm();
  }

  #dropCancelled(): void {
    while (this.#heap[0]?.cancelled) this.#pop();
  }

  #arm(): void {
    const next = this.#heap[0];
    if (next === undefined) {
      this.#timer?.cancel();
      this.#timer = undefined;
      this.#timerDueAt = Number.POSITIVE_INFINITY;
      return;
    }
    if (next.dueAt === this.#timerDueAt) return;
    this.#timer?.cancel();
    this.#timerDueAt = next.dueAt;
    this.#timer = this.#clock.after(next.dueAt - this.#clock.now(), () => this.#fire());
  }

  #fire(): void {
    this.#timer = undefined;
    this.#timerDueAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || (!next.cancelled && next.dueAt > now)) break;
      this.#pop();
      if (!next.cancelled) next.run();
    }
    this.#arm();
  }

  #before(left: number, right: number): boolean {
    const a = this.#heap[left];
    const b = this.#heap[right];
    if (a === undefined || b === undefined) return a !== undefined;
    return a.dueAt === b.dueAt ? a.order < b.order : a.dueAt < b.dueAt;
  }

  #swap(left: number, right: number): void {
    const a = this.#heap[left];
    const b = this.#heap[right];
    if (a === undefined || b === undefined) return;
    this.#heap[left] = b;
    this.#heap[right] = a;
  }

  #up(start: number): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#before(index, parent)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    let index = 0;
    for (;;) {
      const left = index * 2 + 1;
      const right = left + 1;
      const smaller = right < this.#heap.length && this.#before(right, left) ? right : left;
      if (smaller >= this.#heap.length || !this.#before(smaller, index)) return;
      this.#swap(index, smaller);
      index = smaller;
    }
  }
}
