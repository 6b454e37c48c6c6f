import { deadLetterHeader } from "./dead-letter.ts";
import type { Dead, DeadLetterOrigin, DriverDelivery, Outcome } from "./driver.ts";
import { ACK } from "./driver.ts";
import { BrokerError, describeError } from "./errors.ts";
import type { Header } from "./message.ts";

/** How many reasons of dead letters that could not be written are remembered for the next try. */
const MAX_REASONS = 1_000;

/** What a {@link DeadLetterWriter} needs from its broker. */
export interface DeadLetterHost {
  /** Publishes a dead letter and resolves when it is confirmed. */
  publishDeadLetter(topic: string, source: DriverDelivery, header: Header, origin: DeadLetterOrigin): Promise<void>;
  onError(error: BrokerError): void;
}

/** Writes dead letters for drivers that cannot move a message in one step (D5): confirmed first, acked then. */
export class DeadLetterWriter {
  readonly #host: DeadLetterHost;
  readonly #origin: DeadLetterOrigin;
  readonly #maxAttempts: number;
  readonly #retryDelayMs: number;
  /** By message id. */
  readonly #reasons = new Map<string, string>();

  constructor(host: DeadLetterHost, origin: DeadLetterOrigin, maxAttempts: number, retryDelayMs: number) {
    this.#host = host;
    this.#origin = origin;
    this.#maxAttempts = maxAttempts;
    this.#retryDelayMs = retryDelayMs;
  }

  /** Why an earlier dead letter of this message was to be written, if it could not be. */
  reason(id: string): string | undefined {
    return this.#reasons.get(id);
  }

  /** Publishes the dead letter; resolves with what becomes of the message itself: done, or kept for another try. */
  async write(source: DriverDelivery, dead: Dead, to: string): Promise<Outcome> {
    const header = deadLetterHeader(source.header, source.topic, this.#origin.queue, dead);
    try {
      await this.#host.publishDeadLetter(to, source, header, this.#origin);
    } catch (error) {
      const message = `The dead letter of message ${source.id} could not be written to ${to}; the message stays: ${describeError(error)}`;
      this.#host.onError(new BrokerError("ERR_DEAD_LETTER", message, { topic: source.topic, cause: error }));
      if (this.#reasons.size >= MAX_REASONS) this.#reasons.clear();
      this.#reasons.set(source.id, dead.reason);
      // Past the last attempt, so that the next delivery writes the dead letter and starts no handler.
      const attempt = Math.max(dead.attempts, this.#maxAttempts) + 1;
      return { kind: "retry", delayMs: this.#retryDelayMs, attempt, firstFailureAt: dead.firstAt };
    }
    this.#reasons.delete(source.id);
    return ACK;
  }
}
