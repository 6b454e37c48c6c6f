import type { Clock, Timer } from "./clock.ts";

/** Until when something is waited for, in milliseconds since the epoch. Whoever is in a greater hurry brings it forward. */
export class MovableDeadline {
  readonly #clock: Clock;
  #at: number;
  /** Who waits, to look at the time again. */
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock, at: number) {
    this.#clock = clock;
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  /** A later time changes nothing. */
  bringForward(at: number): void {
    if (at >= this.#at) return;
    this.#at = at;
    for (const look of this.#waiting) look();
  }

  /** Resolves with true when `promise` settles in time, else with false. Rejects as the promise does. */
  async met(promise: Promise<unknown>): Promise<boolean> {
    let timer: Timer | undefined;
    let look = () => {};
    const late = new Promise<false>((resolve) => {
      look = () => {
        timer?.cancel();
        timer = this.#clock.after(Math.max(0, this.#at - this.#clock.now()), () => resolve(false));
      };
    });
    look();
    this.#waiting.add(look);
    try {
      return await Promise.race([promise.then(() => true), late]);
    } finally {
      this.#waiting.delete(look);
      timer?.cancel();
    }
  }
}
