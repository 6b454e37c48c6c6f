import { backoffMs } from "./backoff.ts";
import type { ResolvedSubscribeOptions } from "./check-options.ts";
import type { Dead, Retry } from "./driver.ts";
import { type Clock, wallTime } from "./internal/clock.ts";
import type { RunningDelivery } from "./running-delivery.ts";
import { deadLetterTopic, isDeadLetterTopic } from "./topics.ts";

/**
 * What becomes of a message that failed, as the options of its subscription say: it is tried again (D4), or it is dead (D5).
 */
export class FailurePolicy {
  readonly #options: ResolvedSubscribeOptions;
  readonly #clock: Clock;
  readonly #deliversAgain: boolean;

  /** @param deliversAgain whether what failed may come again. Where nothing does, a dead letter is a message like any other. */
  constructor(options: ResolvedSubscribeOptions, clock: Clock, deliversAgain: boolean) {
    this.#options = options;
    this.#clock = clock;
    this.#deliversAgain = deliversAgain;
  }

  /** Whether a message that fails stays on its topic, to come again without end: a dead letter does not become one again. */
  stays(topic: string): boolean {
    return this.#deliversAgain && isDeadLetterTopic(topic);
  }

  /** Whether the attempt that failed was the message's last. */
  wasLast({ attempt, topic }: RunningDelivery): boolean {
    return attempt >= this.#options.maxAttempts && !this.stays(topic);
  }

  /** How long the next attempt is put off, in milliseconds: as long as the handler asked for, else the backoff. */
  delayMs(failed: RunningDelivery, askedMs: number | undefined): number {
    const { backoffMs: firstMs, maxBackoffMs } = this.#options;
    return askedMs ?? backoffMs(failed.attempt, firstMs, maxBackoffMs, this.#clock.random);
  }

  /** The message comes again, as attempt number `attempt`. */
  retry({ firstFailureAt }: RunningDelivery, delayMs: number, attempt: number): Retry {
    return { kind: "retry", delayMs, attempt, firstFailureAt: firstFailureAt ?? wallTime(this.#clock) };
  }

  /** The message becomes a dead letter, or is given up where there are none. */
  dead({ topic, firstFailureAt }: RunningDelivery, reason: string, attempts: number): Dead {
    const now = wallTime(this.#clock);
    return { kind: "dead", to: this.#to(topic), reason, attempts, firstAt: firstFailureAt ?? now, lastAt: now };
  }

  /** Which attempt failed, and what becomes of the message where it was the last, for the text of an error. */
  describe(failed: RunningDelivery, isFinal: boolean): string {
    const { attempt, topic, state } = failed;
    const counted = `attempt ${attempt} of ${this.#options.maxAttempts}`;
    const isLast = (isFinal && !this.stays(topic)) || this.wasLast(failed);
    if (!isLast || state !== "open") return counted;
    const to = this.#to(topic);
    return `${counted} and the last: the message ${to === false ? "is given up" : `becomes a dead letter in ${to}`}`;
  }

  #to(topic: string): string | false {
    return this.#options.deadLetter ?? deadLetterTopic(topic);
  }
}
