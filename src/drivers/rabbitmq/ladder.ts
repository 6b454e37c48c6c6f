/**
 * The delays of the ladder, in milliseconds: powers of two, so that a retry is never earlier than asked and at most twice as
 * late. A longer delay climbs the last step more than once.
 */
export const LADDER_MS: readonly number[] = Object.freeze(Array.from({ length: 15 }, (_, step) => 50 * 2 ** step));

const LAST_MS = LADDER_MS[LADDER_MS.length - 1] as number;

/** The next step for a delay, and what is left to wait after it; `undefined` where nothing is to be waited for. */
export function climb(delayMs: number): { readonly stepMs: number; readonly restMs: number } | undefined {
  if (delayMs <= 0) return undefined;
  const stepMs = LADDER_MS.find((step) => step >= delayMs) ?? LAST_MS;
  return { stepMs, restMs: Math.max(0, delayMs - stepMs) };
}
