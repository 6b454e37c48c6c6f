import { type Clock, systemClock } from "../internal/clock.ts";

/** The longest delay that Node's timers keep; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The system's time, with timers that do not keep the process alive: registries only ever work in the background. */
export const backgroundClock: Clock = {
  now: () => systemClock.now(),
  after(delayMs, run) {
    const handle = setTimeout(run, Math.min(Math.max(0, Math.ceil(delayMs)), MAX_TIMER_MS));
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};
