import type { Clock, Timer } from "../../internal/clock.ts";
import { soon } from "./real-time.ts";

interface VirtualTimer {
  readonly dueAt: number;
  readonly run: () => void;
}

/**
 * Time that stands still until it is moved. What is due without any delay does not wait for that: it runs in the next turn of
 * the event loop. Delays are exact: nothing spreads them.
 */
export class VirtualClock implements Clock {
  #now: number;
  /** In the order in which they were set. */
  readonly #timers = new Set<VirtualTimer>();
  /** What runs in the next turn. */
  #soon: Set<VirtualTimer> | undefined;

  constructor(now: number) {
    this.#now = Math.round(now);
  }

  readonly random = (): number => 0;

  now(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { dueAt: this.#now + Math.max(0, Math.ceil(delayMs)), run };
    const timers = timer.dueAt > this.#now ? this.#timers : this.#runSoon();
    timers.add(timer);
    return {
      cancel: () => {
        timers.delete(timer);
      },
    };
  }

  /** When the next timer is due; `Infinity` where none is set. */
  get nextDueAt(): number {
    return this.#next()?.dueAt ?? Number.POSITIVE_INFINITY;
  }

  /** Whether something is about to run without any delay. */
  get imminent(): boolean {
    return this.#soon !== undefined && this.#soon.size > 0;
  }

  /** Moves on to `time`, and runs what is due by then, in order. A time that is past changes nothing. */
  moveTo(time: number): void {
    for (let next = this.#next(); next !== undefined && next.dueAt <= time; next = this.#next()) {
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.dueAt);
      next.run();
    }
    this.#now = Math.max(this.#now, time);
  }

  #next(): VirtualTimer | undefined {
    let next: VirtualTimer | undefined;
    for (const timer of this.#timers) if (next === undefined || timer.dueAt < next.dueAt) next = timer;
    return next;
  }

  /** Where timers without a delay go. What they set in turn waits for the next turn, so that they cannot go on for ever. */
  #runSoon(): Set<VirtualTimer> {
    if (this.#soon !== undefined) return this.#soon;
    const timers = new Set<VirtualTimer>();
    this.#soon = timers;
    soon(() => {
      this.#soon = undefined;
      for (const timer of timers) timer.run();
    });
    return timers;
  }
}
