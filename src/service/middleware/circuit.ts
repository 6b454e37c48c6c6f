import type { Clock } from "../../internal/clock.ts";

/**
 * - `closed`: everything passes.
 * - `open`: nothing does, until `resetMs` have passed.
 * - `half-open`: one message is through, to see whether it succeeds; the others are refused.
 */
export type CircuitState = "closed" | "open" | "half-open";

/** What a {@link Circuit} needs to know. */
export interface CircuitHost {
  readonly failures: number;
  readonly resetMs: number;
  readonly clock: Clock;
  isFailure(error: unknown): boolean;
  /** Must not throw. */
  onChange(from: CircuitState, to: CircuitState, error: unknown): void;
}

/** One circuit. It sets no timer: an open one finds out that its time is over when the next call comes. */
export class Circuit {
  readonly #host: CircuitHost;
  #state: CircuitState = "closed";
  /** Failures in a row. */
  #failures = 0;
  #lastFailure: unknown;
  /** From when on the next call is let through; while closed without a meaning. */
  #nextAt = 0;
  /** Changes whenever calls that are under way have no say any more. */
  #round = 0;

  constructor(host: CircuitHost) {
    this.#host = host;
  }

  get state(): CircuitState {
    return this.#state;
  }

  /** What failed last. */
  get lastFailure(): unknown {
    return this.#lastFailure;
  }

  /** How long it lets nothing through yet, in milliseconds. */
  get refusingMs(): number {
    return Math.max(0, this.#nextAt - this.#host.clock.now());
  }

  /** Lets a call through, unless the circuit is open; then it throws what `refuse` makes. */
  async run<Result>(call: () => Promise<Result>, refuse: () => Error): Promise<Result> {
    if (this.#state !== "closed") this.#admit(refuse);
    const round = this.#round;
    let result: Result;
    try {
      result = await call();
    } catch (error) {
      if (round === this.#round) this.#failed(error);
      throw error;
    }
    if (round === this.#round) this.#succeeded();
    return result;
  }

  // A call that was let through to try and does not end has its time too: after it, another one may.
  #admit(refuse: () => Error): void {
    if (this.refusingMs > 0) throw refuse();
    this.#nextRound();
    this.#change("half-open", undefined);
  }

  #failed(error: unknown): void {
    if (!this.#host.isFailure(error)) {
      // It proved nothing: the next call is the one that tries.
      if (this.#state === "half-open") this.#nextAt = 0;
      return;
    }
    this.#lastFailure = error;
    this.#failures += 1;
    if (this.#state === "closed" && this.#failures < this.#host.failures) return;
    this.#nextRound();
    this.#change("open", error);
  }

  #succeeded(): void {
    this.#failures = 0;
    if (this.#state === "half-open") this.#change("closed", undefined);
  }

  #nextRound(): void {
    this.#round += 1;
    this.#nextAt = this.#host.clock.now() + this.#host.resetMs;
  }

  #change(to: CircuitState, error: unknown): void {
    const from = this.#state;
    this.#state = to;
    if (from !== to) this.#host.onChange(from, to, error);
  }
}
