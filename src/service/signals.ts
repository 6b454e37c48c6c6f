const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** One press of Ctrl-C may arrive twice, from the terminal and from a parent such as npm; within this time it counts once. */
const SAME_PRESS_MS = 250;

/**
 * Calls `onFirst` at the first SIGINT or SIGTERM; a second one ends the process at once, with the status that shells give it.
 * Returns what takes the listeners away again.
 * @param isMine signals for which it says no are passed over
 */
export function onStopSignal(
  onFirst: (signal: NodeJS.Signals) => void,
  isMine: (signal: NodeJS.Signals) => boolean = () => true,
): () => void {
  let firstAt: number | undefined;
  const listener = (signal: NodeJS.Signals, number: number) => {
    if (!isMine(signal)) return;
    const now = performance.now();
    if (firstAt === undefined) {
      firstAt = now;
      onFirst(signal);
    } else if (now - firstAt > SAME_PRESS_MS) process.exit(128 + number);
  };
  for (const signal of SIGNALS) process.on(signal, listener);
  return () => {
    for (const signal of SIGNALS) process.off(signal, listener);
  };
}
