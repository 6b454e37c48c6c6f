import { BrokerError } from "../../../errors.ts";
import type { Clock } from "../../../internal/clock.ts";

/** The same refusal of the same host is reported again after this long, in milliseconds. */
const REPEAT_MS = 600_000;

/** Refusals that are remembered; with more, all are forgotten, so that whoever invents hosts costs no memory. */
const MAX_KNOWN = 1_000;

/** Says that somebody was not let in, once and not with every try. */
export class Refusals {
  readonly #clock: Clock;
  readonly #onError: (error: BrokerError) => void;
  readonly #reported = new Map<string, number>();

  constructor(clock: Clock, onError: (error: BrokerError) => void) {
    this.#clock = clock;
    this.#onError = onError;
  }

  /** @param from the host that the connection came from, where it is known still */
  note(why: string, from: string | undefined): void {
    const key = `${from}\n${why}`;
    const now = this.#clock.now();
    const before = this.#reported.get(key);
    if (before !== undefined && now - before < REPEAT_MS) return;
    if (this.#reported.size >= MAX_KNOWN) this.#reported.clear();
    this.#reported.set(key, now);
    this.#onError(
      new BrokerError("ERR_AUTHENTICATION", `A connection from ${from ?? "a host unknown"} was refused: ${why}.`, {
        driver: "http",
      }),
    );
  }
}
