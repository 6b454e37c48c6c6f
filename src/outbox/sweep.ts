import { type Clock, rested, type Timer } from "../internal/clock.ts";

/** How often old messages are looked for: a twentieth of their age, but between a second and a minute. */
const SWEEP_MS = { share: 20, least: 1_000, most: 60_000 };

/** Looks for old messages from time to time, while there are any messages. */
export class Sweep {
  readonly #clock: Clock;
  readonly #maxAgeMs: number;
  readonly #giveUp: (oldest: number) => void;
  #timer: Timer | undefined;
  /** Whether the timer runs although there is nothing to look at. */
  #resting = false;

  /** @param giveUp gives up what is older than that (milliseconds since the epoch), and arms again if something is left. */
  constructor(clock: Clock, maxAgeMs: number, giveUp: (oldest: number) => void) {
    this.#clock = clock;
    this.#maxAgeMs = maxAgeMs;
    this.#giveUp = giveUp;
  }

  /** There is something to look at. */
  arm(): void {
    if (this.#resting) this.#timer?.keepAlive?.(true);
    this.#resting = false;
    if (this.#timer !== undefined) return;
    const everyMs = Math.min(SWEEP_MS.most, Math.max(SWEEP_MS.least, this.#maxAgeMs / SWEEP_MS.share));
    this.#timer = this.#clock.after(everyMs, () => {
      this.#timer = undefined;
      this.#resting = false;
      this.#giveUp(this.#clock.now() - this.#maxAgeMs);
    });
  }

  /** There is nothing to look at any more: the timer does not keep the process alive. */
  rest(): void {
    if (this.#timer === undefined || this.#resting) return;
    this.#timer = rested(this.#timer);
    this.#resting = this.#timer !== undefined;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
