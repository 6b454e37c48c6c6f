import { onStopSignal } from "../service/signals.ts";

/**
 * An `AbortSignal` for the process's end: the first SIGINT or SIGTERM aborts it, a later one ends the process at once with
 * the usual status of that signal.
 */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  onStopSignal(() => stop.abort());
  return stop.signal;
}
