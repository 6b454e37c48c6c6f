import { type Clock, wallTime } from "../../internal/clock.ts";
import type { JetStream, StoredMessage } from "./jetstream.ts";
import type { DeliveryInfo } from "./native-delivery.ts";
import type { Names } from "./subjects.ts";

/** What is remembered of a message: as of its delivery number `delivered`, the next handler start is attempt `attempt`. */
export interface Remembered {
  readonly delivered: number;
  readonly attempt: number;
  readonly firstFailureAt?: number | undefined;
  /** Whether the delivery after `delivered` reached a process that was about to start its handler: it was not lost on its way. */
  readonly reached?: boolean;
  /** No process has it before that, in milliseconds since the epoch. Default: when the message was stored. */
  readonly at?: number;
}

/** A time in which deliveries that nobody knows of count as lost on their way, in milliseconds since the epoch. */
interface Excused {
  readonly from: number;
  readonly until: number;
}

/** A delivery, of which it is asked what it counts as. */
export type Delivered = Pick<DeliveryInfo, "sequence" | "delivered" | "storedAt">;

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

/** What part of the time of redelivery is too soon for it: the rest is for clocks that differ. */
const TOO_SOON_PART = 1 / 2;

/** How long an excuse holds, in times of redelivery. */
const EXCUSED_FOR = 3;

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

  /** Which attempt a delivery is, of a consumer that delivers again what it has heard nothing of for `redeliverAfterMs`. */
  async recall({ sequence: message, delivered, storedAt }: Delivered, redeliverAfterMs: number): Promise<Recalled> {
    const [known, excuse] = await Promise.all([
      this.#find<Remembered>(String(message)),
      this.#find<readonly Excused[]>(EXCUSE),
    ]);
    const { delivered: since, attempt: last, firstFailureAt, reached = false, at = storedAt } = known?.value ?? UNKNOWN;
    if (delivered <= since + 1) return { attempt: last, firstFailureAt, sequence: known?.sequence };
    const now = wallTime(this.#clock);
    // Who died with it is found out after that time only: well before, a delivery that nobody knows of met nobody.
    const tooSoon = now < at + redeliverAfterMs * TOO_SOON_PART;
    const isExcused = ({ from, until }: Excused): boolean => from <= now && now <= until;
    const excused = tooSoon || (!reached && (excuse?.value ?? []).some(isExcused));
    // Remembered before the handler starts, so that there is one start at most that nobody knows of: servers before 2.10
    // also count deliveries for which they then found nobody.
    const attempt = excused ? last : last + 1;
    const what = { delivered: delivered - 1, attempt, firstFailureAt, reached: true, at: now };
    return { attempt, firstFailureAt, sequence: await this.remember(message, what) };
  }

  /**
   * Deliveries were lost on their way to a process that lives, at `lostSince` (milliseconds since the epoch) or later. They
   * come again when the server has waited `redeliverAfterMs` for them, or soon after that.
   */
  excuse(lostSince: number, redeliverAfterMs: number): Promise<void> {
    const now = wallTime(this.#clock);
    return this.#addExcuses([{ from: lostSince + redeliverAfterMs, until: now + EXCUSED_FOR * redeliverAfterMs }]);
  }

  /** The same of a process that leaves, and loses some from now on: these come again also at once, when the server sees it gone. */
  excuseLeaving(redeliverAfterMs: number): Promise<void> {
    const now = wallTime(this.#clock);
    return this.#addExcuses([
      { from: now, until: now + redeliverAfterMs * TOO_SOON_PART },
      { from: now + redeliverAfterMs, until: now + EXCUSED_FOR * redeliverAfterMs },
    ]);
  }

  /** What others wrote stays, as far as it is not over. */
  async #addExcuses(added: readonly Excused[]): Promise<void> {
    const now = wallTime(this.#clock);
    const found = await this.#find<readonly Excused[]>(EXCUSE);
    const current = (found?.value ?? []).filter(({ until }) => until >= now);
    const excuses = merged([...current, ...added]);
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

/** The same times, none of which touches another. */
function merged(times: readonly Excused[]): Excused[] {
  const apart: Excused[] = [];
  for (const { from, until } of [...times].sort((one, other) => one.from - other.from)) {
    const last = apart.at(-1);
    if (last === undefined || last.until < from) apart.push({ from, until });
    else apart[apart.length - 1] = { from: last.from, until: Math.max(last.until, until) };
  }
  return apart;
}
