/** How long {@link until} waits, and what it says when that was in vain. */
export interface UntilOptions {
  /** How long to wait, in milliseconds. Default 15,000. */
  deadlineMs?: number;
  /** What is waited for, as the end of the sentence "waited in vain until ...". */
  what: string;
  /** More about the state at the deadline, for the error. */
  detail?: () => string;
}

/** What a condition returned, once that is truthy. */
export type Truthy<T> = Exclude<T, undefined | null | false | 0 | "">;

const DEFAULT_DEADLINE_MS = 15_000;
const MAX_PAUSE_MS = 20;

/**
 * Waits until `condition` returns, or resolves with, something truthy, and resolves with that. It is asked at once, then
 * in short intervals. A condition that throws ends the wait.
 * @throws Error at the deadline, with `what` and `detail`.
 */
export async function until<T>(condition: () => T | Promise<T>, options: UntilOptions): Promise<Truthy<T>> {
  const deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
  const started = performance.now();
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
    const value = await condition();
    if (value) return value as Truthy<T>;
    if (performance.now() - started >= deadlineMs) {
      const detail = options.detail === undefined ? "" : `: ${options.detail()}`;
      throw new Error(`waited ${deadlineMs} ms in vain until ${options.what}${detail}`);
    }
    await pause(pauseMs);
  }
}

/** Resolves after `ms` milliseconds. Only for time that is itself what a check is about. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
