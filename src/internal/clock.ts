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
  /**
   * Milliseconds since the epoch, for everything that is waited for or measured: it goes on evenly and never jumps, so that it may
   * differ from {@link Clock.wall} by as much as that was set since the process started.
   */
  now(): number;
  /** Milliseconds since the epoch as the system has it just now, for what other processes and people read. Default: `now()`. */
  readonly wall?: () => number;
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

/** The system's time of a moment that `clock.now()` has, or will have, or of now: for what leaves the process. */
export function wallTime(clock: Clock, at?: number): number {
  if (clock.wall === undefined) return at ?? clock.now();
  return at === undefined ? clock.wall() : at + clock.wall() - clock.now();
}

/** The other way round: when `clock.now()` has a moment that another process wrote down. */
export function fromWallTime(clock: Clock, at: number): number {
  return clock.wall === undefined ? at : at - clock.wall() + clock.now();
}

/** The system's time when {@link performance} was at 0, as it was known when this process started. */
const STARTED_AT = Date.now() - performance.now();

/**
 * The system's time. Its `now` counts on from the process's start: should the system's time be set, by an hour back for one, whoever
 * waits for a second would else wait for an hour and a second.
 */
export const systemClock: Clock = {
  now: () => Math.floor(STARTED_AT + performance.now()),
  wall: () => Date.now(),
  after(delayMs, run) {
    const handle = setTimeout(run, Math.min(Math.max(0, Math.ceil(delayMs)), MAX_TIMER_MS));
    return {
      cancel: () => clearTimeout(handle),
      keepAlive: (on) => void (on ? handle.ref() : handle.unref()),
    };
  },
};
