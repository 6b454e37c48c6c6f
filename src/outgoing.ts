import { channels } from "./diagnostics.ts";
import type { DeadLetterOrigin, Publication } from "./driver.ts";
import type { BrokerError } from "./errors.ts";
import { giveBackLarge, LARGE_COPY_BYTES } from "./internal/large-copies.ts";
import type { Header } from "./message.ts";
import type { Receipt, ReceiptState } from "./receipt.ts";

/** What a message on its way out is made of. */
export interface OutgoingContent extends Omit<Publication, "confirm" | "fail" | "whenAnswered" | "giveBackBody"> {
  /** Whether the body was copied for this message alone, by `copyBody`. */
  readonly ownsBody: boolean;
}

const NO_BODY = new Uint8Array(0);

/** A message on its way out, and the publisher's promise. Answered once; a later answer changes nothing. */
export class Outgoing implements Publication {
  readonly topic: string;
  readonly id: string;
  readonly key: string | undefined;
  readonly header: Header;
  body: Uint8Array;
  readonly bytes: number;
  readonly mandatory: boolean;
  readonly origin: DeadLetterOrigin | undefined;
  readonly #broker: string;
  /** The two ends of the promise, until it is answered: who keeps the message longer, does not keep them. */
  #resolve: ((receipt: Receipt) => void) | undefined;
  #reject: ((reason: unknown) => void) | undefined;
  #onAnswer: (() => void) | undefined;
  #ownsBody: boolean;

  constructor(
    broker: string,
    content: OutgoingContent,
    resolve: (receipt: Receipt) => void,
    reject: (reason: unknown) => void,
  ) {
    this.topic = content.topic;
    this.id = content.id;
    this.key = content.key;
    this.header = content.header;
    this.body = content.body;
    this.bytes = content.bytes;
    this.mandatory = content.mandatory;
    this.origin = content.origin;
    this.#broker = broker;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#ownsBody = content.ownsBody;
  }

  get answered(): boolean {
    return this.#resolve === undefined;
  }

  confirm(state: ReceiptState): void {
    const resolve = this.#resolve;
    if (resolve === undefined) return;
    if (channels.publish.hasSubscribers)
      channels.publish.publish({ broker: this.#broker, topic: this.topic, id: this.id, state });
    this.#answer();
    resolve({ id: this.id, state });
  }

  fail(error: BrokerError): void {
    const reject = this.#reject;
    if (reject === undefined) return;
    if (channels.publish.hasSubscribers)
      channels.publish.publish({ broker: this.#broker, topic: this.topic, id: this.id, error });
    this.#answer();
    reject(error);
  }

  /** The publisher no longer waits. */
  abandon(reason: unknown): void {
    const reject = this.#reject;
    if (reject === undefined) return;
    this.#answer();
    reject(reason);
  }

  /** Calls `listener` once, when the publication is answered; at once where it is. */
  whenAnswered(listener: () => void): void {
    if (this.answered) return listener();
    const earlier = this.#onAnswer;
    if (earlier === undefined) this.#onAnswer = listener;
    else
      this.#onAnswer = () => {
        earlier();
        listener();
      };
  }

  giveBackBody(): void {
    if (!this.#ownsBody) return;
    this.#ownsBody = false;
    const { body } = this;
    this.body = NO_BODY;
    if (body.length >= LARGE_COPY_BYTES) giveBackLarge(body);
  }

  #answer(): void {
    this.#resolve = undefined;
    this.#reject = undefined;
    this.#onAnswer?.();
    this.#onAnswer = undefined;
  }
}
