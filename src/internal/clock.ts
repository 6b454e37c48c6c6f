/** Handle of a timer that a {@link Clock} set. */
export interface Timer {
  cancel(): void;
}

/** Where the library takes the time from: the system's, or a virtual one in tests. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `run` once, `delayMs` milliseconds from now. A pending timer keeps the process alive. */
  after(delayMs: number, run: () => void): Timer;
  /** What spreads the delays of retries, from 0 to below 1. Default `Math.random`; a virtual clock wants exact delays. */
  readonly random?: () => number;
}

/** The longest delay that Node's timers keep; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The system's time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, run) {
    const handle = setTimeout(run, Math.min(Math.max(0, Math.ceil(delayMs)), MAX_TIMER_MS));
    return { cancel: () => clearTimeout(handle) };
  },
};
