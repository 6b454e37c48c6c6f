/**
 * The delay before the attempt after `attempt` (counted from 1): `firstMs` doubled for every attempt made, at most `maxMs`,
 * plus up to 20 % jitter so that messages that failed together do not come back together.
 */
export function backoffMs(attempt: number, firstMs: number, maxMs: number, random: () => number = Math.random): number {
  const base = Math.min(maxMs, firstMs * 2 ** Math.min(attempt - 1, 50));
  return Math.round(base * (1 + 0.2 * random()));
}
