import { systemClock } from "../internal/clock.ts";
import { delay } from "../internal/wait.ts";

/** Spaces calls evenly: call number `n` (from 0) is due `n / perSecond` seconds after the first, so that delays do not add up. */
export class Pace {
  readonly #intervalMs: number;
  #startedAt: number | undefined;

  constructor(perSecond: number) {
    this.#intervalMs = 1_000 / perSecond;
  }

  /** Resolves when call number `n` is due; rejects with the signal's reason when that is aborted first. */
  async due(n: number, signal: AbortSignal): Promise<void> {
    const now = performance.now();
    this.#startedAt ??= now;
    const waitMs = this.#startedAt + n * this.#intervalMs - now;
    if (waitMs > 0) await delay(systemClock, waitMs, signal);
  }
}
