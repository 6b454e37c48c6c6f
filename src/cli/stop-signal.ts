import { constants } from "node:os";

/** A second signal within this time is the first one again: `npx` and `npm run` pass on what the terminal also sends. */
const SAME_KEY_PRESS_MS = 250;

/**
 * An `AbortSignal` for the process's end: the first SIGINT or SIGTERM aborts it, a later one ends the process at once with
 * the usual status of that signal.
 */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  let stoppedAt = 0;
  const onSignal = (signal: "SIGINT" | "SIGTERM") => {
    if (!stop.signal.aborted) {
      stoppedAt = performance.now();
      stop.abort();
    } else if (performance.now() - stoppedAt > SAME_KEY_PRESS_MS) process.exit(128 + constants.signals[signal]);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return stop.signal;
}
