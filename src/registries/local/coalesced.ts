/**
 * Makes a function whose every call resolves with a run of `task` that started after the call. Runs never overlap, and
 * calls made meanwhile share the next one: however many they are, it runs once for all of them.
 */
export function coalesced<T>(task: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | undefined;
  const start = (): Promise<T> => {
    next = undefined;
    return task();
  };
  return () => {
    if (next !== undefined) return next;
    // A failed run is reported to its own callers; the next one starts afresh.
    const run = running.then(start, start);
    next = run;
    running = run;
    return run;
  };
}
