import type { Clock, Timer } from "../../internal/clock.ts";
import { Deque } from "../../internal/deque.ts";

/** How long after a refusal a full stream is asked again, in milliseconds. */
const ROOM_AGAIN_MS = 250;

/**
 * Publications that wait for room in a stream, in the order in which they were published. The first asks: once it is taken
 * the next, and when it is refused the same after a while. Two that ask at once could pass each other.
 */
export class WaitingRoom<T> {
  readonly #clock: Clock;
  readonly #send: (waiting: T) => void;
  /** Refused: they were published before those who came while others waited. */
  readonly #refused = new Deque<T>();
  readonly #behind = new Deque<T>();
  #asking = false;
  #sending = false;
  #timer: Timer | undefined;

  /** @param send sends the one who asks; `refused`, or else `answered`, is called for it. */
  constructor(clock: Clock, send: (waiting: T) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Whether what is published now has to wait behind others. */
  get occupied(): boolean {
    return this.#asking || this.#refused.size > 0 || this.#behind.size > 0;
  }

  /** One that is published while others wait. */
  behind(waiting: T): void {
    this.#behind.push(waiting);
  }

  /** The stream had no room for it. `asked`: it was sent from here. */
  refused(waiting: T, asked: boolean): void {
    if (asked) {
      this.#asking = false;
      this.#refused.unshift(waiting);
    } else this.#refused.push(waiting);
    if (this.#asking) return;
    this.#timer ??= this.#clock.after(ROOM_AGAIN_MS, () => {
      this.#timer = undefined;
      if (!this.#asking) this.#ask();
    });
  }

  /** The one who asked waits no longer. */
  answered(): void {
    this.#asking = false;
    this.#ask();
  }

  /** Ends; returns who waited. */
  close(): T[] {
    this.#timer?.cancel();
    return [...this.#refused.drain(), ...this.#behind.drain()];
  }

  // One that fails at once makes the next ask, which this loop does: recursion would grow with those who wait.
  #ask(): void {
    if (this.#sending) return;
    this.#sending = true;
    while (!this.#asking && this.#timer === undefined) {
      const next = this.#refused.shift() ?? this.#behind.shift();
      if (next === undefined) break;
      this.#asking = true;
      this.#send(next);
    }
    this.#sending = false;
  }
}
