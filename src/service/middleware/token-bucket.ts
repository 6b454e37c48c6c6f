import type { Clock, Timer } from "../../internal/clock.ts";

/** A bucket that starts full and is refilled evenly: in any span of time, at most its size plus what the span refills leaves it. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #size: number;
  readonly #clock: Clock;
  /** In order of asking. */
  readonly #waiters = new Set<() => void>();
  #tokens: number;
  #countedAt: number;
  #timer: Timer | undefined;

  constructor(perSecond: number, size: number, clock: Clock) {
    this.#perMs = perSecond / 1_000;
    this.#size = size;
    this.#clock = clock;
    this.#tokens = size;
    this.#countedAt = clock.now();
  }

  /** How many wait for a token. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** Takes a token if there is one, and nobody waits for it already. */
  tryTake(): boolean {
    if (this.#waiters.size > 0) return false;
    this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Resolves with a token, first come first served; rejects with the signal's reason when it is aborted first. */
  take(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const pass = () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const abort = () => {
        this.#waiters.delete(pass);
        if (this.#waiters.size === 0) this.#rest();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiters.add(pass);
      if (this.#timer === undefined) this.#serve();
    });
  }

  #serve(): void {
    this.#timer = undefined;
    this.#refill();
    for (const pass of this.#waiters) {
      if (this.#tokens < 1) break;
      this.#tokens -= 1;
      this.#waiters.delete(pass);
      pass();
    }
    if (this.#waiters.size === 0) return;
    // Whole milliseconds: a timer for less would fire before the token is there, again and again.
    const dueInMs = Math.max(1, Math.ceil((1 - this.#tokens) / this.#perMs));
    this.#timer = this.#clock.after(dueInMs, () => this.#serve());
  }

  #refill(): void {
    const now = this.#clock.now();
    // A clock that was set back refills nothing.
    const passedMs = Math.max(0, now - this.#countedAt);
    this.#countedAt = now;
    this.#tokens = Math.min(this.#size, this.#tokens + passedMs * this.#perMs);
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
