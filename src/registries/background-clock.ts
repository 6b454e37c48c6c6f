import { type Clock, systemClock } from "../internal/clock.ts";

/** The system's time, with timers that do not keep the process alive: registries only ever work in the background. */
export const backgroundClock: Clock = {
  now: () => systemClock.now(),
  wall: () => Date.now(),
  after(delayMs, run) {
    const timer = systemClock.after(delayMs, run);
    timer.keepAlive?.(false);
    return { cancel: () => timer.cancel() };
  },
};
