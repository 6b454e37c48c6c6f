/**
 * The process's own time. Kept from before a test runner's fake timers are switched on: a test may fake the time of its own
 * code, and `settled()` has to go on all the same.
 */
const { setImmediate: immediate, setTimeout: timeout, clearTimeout: forget } = globalThis;

/** Milliseconds from some beginning. */
export const realNow: () => number = performance.now.bind(performance);

/** One turn of the event loop: everything that is ready has run, promises included. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    immediate(resolve);
  });
}

/** Calls `run` soon, after what is ready now. */
export function soon(run: () => void): void {
  immediate(run);
}

/** Calls `run` after `ms` real milliseconds; returns what takes that back. */
export function realTimer(ms: number, run: () => void): () => void {
  const handle = timeout(run, ms);
  return () => forget(handle);
}
