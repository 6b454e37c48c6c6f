import type { Clock } from "../../internal/clock.ts";
import type { JetStream, StoredMessage } from "./jetstream.ts";
import type { Names } from "./subjects.ts";

/** What is remembered of a message: as of its delivery number `delivered`, the next handler start is attempt `attempt`. */
export interface Remembered {
  readonly delivered: number;
  readonly attempt: number;
  readonly firstFailureAt?: number | undefined;
  /** Whether the delivery after `delivered` reached a process that was about to start its handler: it was not lost on its way. */
  readonly reached?: boolean;
}

/** A time in which deliveries that nobody knows of count as lost on their way, in milliseconds since the epoch. */
interface Excused {
  readonly from: number;
  readonly until: number;
}

/** What a delivery counts as. */
export interface Recalled {
  readonly attempt: number;
  readonly firstFailureAt: number | undefined;
  /** Where it is remembered, to be forgotten once the message is done. */
  readonly sequence: number | undefined;
}

/** Of a message that was delivered for the first time. */
const UNKNOWN: Remembered = { delivered: 0, attempt: 1 };

/** Under this name a consumer's members say that deliveries were lost on the way to a process that lives. */
const EXCUSE = "excuse";

/**
 * Counts handler starts for one consumer. JetStream counts deliveries: also what was given back, and what was lost on its
 * way. What a member knows of a delivery that it settles is remembered in a stream; deliveries since then that nobody knows
 * of count as one attempt, of a process that died, unless some were lost on the way to a process that lives.
 */
export class Attempts {
  readonly #jetstream: JetStream;
  readonly #names: Names;
  readonly #consumer: string;
  readonly #clock: Clock;

  constructor(jetstream: JetStream, names: Names, consumer: string, clock: Clock) {
    this.#jetstream = jetstream;
    this.#names = names;
    this.#consumer = consumer;
    this.#clock = clock;
  }

  /** Remembers something of a message, in place of what was remembered; resolves with where, once it is stored. */
  remember(message: number, what: Remembered): Promise<number> {
    return this.#jetstream.publish(this.#names.memory(this.#consumer, String(message)), JSON.stringify(what));
  }

  /** Forgets what was remembered of a message that is done. */
  async forget(sequence: number): Promise<void> {
    await this.#jetstream.find(`STREAM.MSG.DELETE.${this.#names.attempts}`, { seq: sequence, no_erase: true });
  }

  /** Which attempt the delivery number `delivered` of a message is. */
  async recall(message: number, delivered: number): Promise<Recalled> {
    const [known, excuse] = await Promise.all([
      this.#find<Remembered>(String(message)),
      this.#find<readonly Excused[]>(EXCUSE),
    ]);
    const { delivered: since, attempt: last, firstFailureAt, reached = false } = known?.value ?? UNKNOWN;
    if (delivered <= since + 1) return { attempt: last, firstFailureAt, sequence: known?.sequence };
    const now = this.#clock.now();
    const excused = !reached && (excuse?.value ?? []).some(({ from, until }) => from <= now && now <= until);
    // Remembered before the handler starts, so that there is one start at most that nobody knows of: servers before 2.10
    // also count deliveries for which they then found nobody.
    const attempt = excused ? last : last + 1;
    const sequence = await this.remember(message, { delivered: delivered - 1, attempt, firstFailureAt, reached: true });
    return { attempt, firstFailureAt, sequence };
  }

  /**
   * Deliveries were lost on their way to a process that lives, at `lostSince` (milliseconds since the epoch) or later. They
   * come again when the server has waited `redeliverAfterMs` for them, or soon after that.
   */
  async excuse(lostSince: number, redeliverAfterMs: number): Promise<void> {
    const now = this.#clock.now();
    const found = await this.#find<readonly Excused[]>(EXCUSE);
    // What others wrote stays, as far as it is not over.
    let [from, until] = [lostSince + redeliverAfterMs, now + 3 * redeliverAfterMs];
    const apart: Excused[] = [];
    for (const other of found?.value ?? []) {
      if (other.until < now) continue;
      if (other.until < from || other.from > until) apart.push(other);
      else [from, until] = [Math.min(from, other.from), Math.max(until, other.until)];
    }
    const excuses: readonly Excused[] = [...apart, { from, until }];
    await this.#jetstream.publish(this.#names.memory(this.#consumer, EXCUSE), JSON.stringify(excuses));
  }

  async #find<T>(name: string): Promise<{ readonly value: T; readonly sequence: number } | undefined> {
    const found = await this.#jetstream.find<{ readonly message: StoredMessage }>(
      `STREAM.MSG.GET.${this.#names.attempts}`,
      { last_by_subj: this.#names.memory(this.#consumer, name) },
    );
    if (found === undefined) return undefined;
    const { data = "", seq } = found.message;
    return { value: JSON.parse(Buffer.from(data, "base64").toString()) as T, sequence: seq };
  }
}
