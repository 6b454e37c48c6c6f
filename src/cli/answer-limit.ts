import { BrokerError } from "../errors.ts";
import { systemClock, type Timer } from "../internal/clock.ts";

/** How long the answers to what was begun may take once the command is interrupted, in milliseconds. */
const GRACE_MS = 1_000;

/**
 * Bounds the wait for answers of a broker that may be gone: a publish waits in this process until the broker is back, however long
 * that takes.
 */
export class AnswerLimit {
  readonly #limitMs: number;
  readonly #pending = new Set<AbortController>();
  readonly #stop: AbortSignal;
  #grace: Timer | undefined;

  /**
   * @param limitMs how long each call may take, in milliseconds
   * @param stop ends all calls a second after it is aborted
   */
  constructor(limitMs: number, stop: AbortSignal) {
    this.#limitMs = limitMs;
    this.#stop = stop;
    if (stop.aborted) this.#hurry();
    else stop.addEventListener("abort", this.#hurry, { once: true });
  }

  /**
   * Makes a call that heeds a signal.
   * @throws what the call threw; BrokerError `ERR_UNDELIVERED` when it took too long; the reason of `stop`
   */
  async wait<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const enough = new AbortController();
    const timer = systemClock.after(this.#limitMs, () => {
      const text = `The broker did not answer for a message within ${this.#limitMs} ms; it may have it all the same.`;
      enough.abort(new BrokerError("ERR_UNDELIVERED", text, { count: 1 }));
    });
    this.#pending.add(enough);
    try {
      return await call(enough.signal);
    } finally {
      this.#pending.delete(enough);
      timer.cancel();
    }
  }

  /** No call is made any more. */
  end(): void {
    this.#stop.removeEventListener("abort", this.#hurry);
    this.#grace?.cancel();
  }

  readonly #hurry = (): void => {
    this.#grace = systemClock.after(GRACE_MS, () => {
      for (const one of this.#pending) one.abort(this.#stop.reason);
    });
  };
}
