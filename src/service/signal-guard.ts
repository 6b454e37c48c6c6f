import { onStopSignal } from "./signals.ts";

/** What drains the services that have started: a signal belongs to the process, so that this is one list for all of them. */
const guarded = new Set<() => Promise<boolean>>();

let forget: (() => void) | undefined;

/**
 * From now on SIGINT and SIGTERM, where they would end the process at once, let it drain first and end it then, as that signal
 * does. Where somebody else listens to the signal, `run` or the program itself, it is theirs. Returns what ends the guard.
 * @param drain never rejects; resolves with whether the process is to end by the signal when it has drained
 */
export function guardAgainstSignals(drain: () => Promise<boolean>): () => void {
  guarded.add(drain);
  forget ??= onStopSignal((signal) => void drainAll(signal), isAlone);
  return () => {
    guarded.delete(drain);
    rest();
  };
}

let draining = false;

async function drainAll(signal: NodeJS.Signals): Promise<void> {
  draining = true;
  const answers = await Promise.all([...guarded].map((drain) => drain()));
  draining = false;
  guarded.clear();
  const ends = answers.every(Boolean) && isAlone(signal);
  rest();
  if (ends) process.kill(process.pid, signal);
}

function rest(): void {
  if (guarded.size > 0 || draining) return;
  forget?.();
  forget = undefined;
}

function isAlone(signal: NodeJS.Signals): boolean {
  return process.listenerCount(signal) <= 1;
}
