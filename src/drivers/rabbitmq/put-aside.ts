import type { Clock, Timer } from "../../internal/clock.ts";

/** How long what a queue did not take is put aside before it is sent again, in milliseconds, each time. */
const PAUSES_MS = [250, 1_000, 4_000] as const;

/** Messages that a queue did not take, until they are sent again: a cluster can elect the queue's next leader meanwhile. */
export class PutAside<M extends { refusals: number }> {
  readonly #clock: Clock;
  readonly #again: (message: M) => void;
  readonly #timers = new Map<M, Timer>();

  /** @param again is called with each when its pause is over. */
  constructor(clock: Clock, again: (message: M) => void) {
    this.#clock = clock;
    this.#again = again;
  }

  get size(): number {
    return this.#timers.size;
  }

  /** Whether it is sent again; `false` when it has been often enough. */
  take(message: M): boolean {
    const pauseMs = PAUSES_MS[message.refusals];
    if (pauseMs === undefined) return false;
    message.refusals += 1;
    const timer = this.#clock.after(pauseMs, () => {
      this.#timers.delete(message);
      this.#again(message);
    });
    this.#timers.set(message, timer);
    return true;
  }

  /** Takes everything out, in order. */
  drain(): M[] {
    const messages = [...this.#timers.keys()];
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    return messages;
  }
}
