import { channels } from "../diagnostics.ts";
import { BrokerError } from "../errors.ts";

/** Hears of messages of one topic that this process has given up: their receipt had said that somebody has them. */
export class GivenUp {
  readonly #topic: string;
  readonly #reasons = new Map<string, string>();
  readonly #hear = (message: unknown) => {
    const { topic, id, reason } = message as { topic: string; id: string; reason: string };
    if (topic === this.#topic) this.#reasons.set(id, reason);
  };

  /** Listens from now on, until `stop`. */
  constructor(topic: string) {
    this.#topic = topic;
    channels.giveUp.subscribe(this.#hear);
  }

  /** @throws BrokerError `ERR_UNDELIVERED` with `count`, when messages were given up */
  refuse(): void {
    const count = this.#reasons.size;
    if (count === 0) return;
    const [reason = ""] = this.#reasons.values();
    const message = `${count} message(s) not delivered: given up, ${reason}.`;
    throw new BrokerError("ERR_UNDELIVERED", message, { count, topic: this.#topic });
  }

  stop(): void {
    channels.giveUp.unsubscribe(this.#hear);
  }
}
