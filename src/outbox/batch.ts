import type { Lane } from "./lane.ts";
import type { OutboxMessage } from "./message.ts";

/** Messages that are handed over together, at most: to one destination after the other, so that little is called in turn. */
const MOST = 64;

/** What a {@link Batch} needs of its outbox. */
export interface BatchParts {
  /** Whether messages with several destinations are not gathered. */
  readonly oneByOne: boolean;
  /** Where messages to a topic go. */
  destinations(topic: string): readonly Lane[];
  /** Takes messages that all go there. What it does may change where others go. */
  take(messages: readonly OutboxMessage[], lanes: readonly Lane[]): void;
}

/** Messages that were published together, gathered while they go to the same destinations. */
export class Batch {
  readonly #parts: BatchParts;
  #topic: string | undefined;
  #lanes: readonly Lane[] = [];
  #messages: OutboxMessage[] = [];
  #most = MOST;

  constructor(parts: BatchParts) {
    this.#parts = parts;
  }

  /** Hands over what was gathered, unless a message to this topic may be with it. */
  endUnlessFor(topic: string): void {
    if (topic !== this.#topic || this.#messages.length === this.#most) this.end();
  }

  /** Hands over what was gathered. */
  end(): void {
    const messages = this.#messages;
    this.#topic = undefined;
    this.#messages = [];
    if (messages.length > 0) this.#parts.take(messages, this.#lanes);
  }

  /** Where messages to this topic go, all that are gathered: looked up for the first of them. */
  destinations(topic: string): readonly Lane[] {
    if (this.#topic === undefined) {
      this.#topic = topic;
      this.#lanes = this.#parts.destinations(topic);
      this.#most = this.#parts.oneByOne && this.#lanes.length > 1 ? 1 : MOST;
    }
    return this.#lanes;
  }

  add(message: OutboxMessage): void {
    this.#messages.push(message);
  }
}
