/** Handle of a timer that a {@link Clock} set. */
export interface Timer {
  cancel(): void;
  /**
   * Whether it keeps the process alive from now on; at first it does. Cheaper than to cancel a timer and set another one.
   * A clock need not have it: whoever wants that then cancels.
   */
  keepAlive?(on: boolean): void;
}

/** Where the library takes the time from: the system's, or a virtual one in tests. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /**
   * Calls `run` once, `delayMs` milliseconds from now; the system's clock earlier where that is more than 2^31 - 1, some 24 days. A
   * pending timer keeps the process alive.
   */
  after(delayMs: number, run: () => void): Timer;
  /** What spreads the delays of retries, from 0 to below 1. Default `Math.random`; a virtual clock wants exact delays. */
  readonly random?: () => number;
}

/** The longest delay that Node's timers keep, in milliseconds; a longer one would fire at once. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

/**
 * Lets a timer that nothing waits for any more run out without keeping the process alive. Returns the timer, or `undefined` where
 * its clock can only cancel it.
 */
export function rested(timer: Timer): Timer | undefined {
  if (timer.keepAlive === undefined) {
    timer.cancel();
    return undefined;
  }
  timer.keepAlive(false);
  return timer;
}

/** The system's time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, run) {
    const handle = setTimeout(run, Math.min(Math.max(0, Math.ceil(delayMs)), MAX_TIMER_MS));
    return {
      cancel: () => clearTimeout(handle),
      keepAlive: (on) => void (on ? handle.ref() : handle.unref()),
    };
  },
};
