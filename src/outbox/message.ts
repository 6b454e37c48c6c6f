import type { DeadLetterOrigin, Publication } from "../driver.ts";
import type { Timed } from "../internal/deadline-list.ts";
import type { Header } from "../message.ts";
import type { ReceiptState } from "../receipt.ts";

/** A message that the outbox keeps until every destination has settled it. */
export class OutboxMessage implements Timed {
  readonly topic: string;
  readonly id: string;
  readonly key: string | undefined;
  readonly header: Header;
  readonly body: Uint8Array;
  readonly bytes: number;
  readonly origin: DeadLetterOrigin | undefined;
  /** Position in the order of publishing. */
  readonly sequence: number;
  readonly publishedAt: number;
  /** Destinations that have not settled it, and the list of unwanted messages if it is in there. */
  holders = 0;
  /** Live destinations that have not taken it yet; the publish is answered when none is left. */
  unaccepted = 0;
  /** Whether a live destination has taken it. */
  accepted = false;
  /** Whose message it is: a disconnecting broker counts what it gives up of its own. */
  owner: object | undefined;
  deadlineAt = 0;
  previousTimed: Timed | undefined;
  nextTimed: Timed | undefined;
  #publication: Publication | undefined;

  constructor(content: MessageContent, sequence: number, publishedAt: number, publication?: Publication) {
    this.topic = content.topic;
    this.id = content.id;
    this.key = content.key;
    this.header = content.header;
    this.body = content.body;
    this.bytes = content.bytes;
    this.origin = content.origin;
    this.sequence = sequence;
    this.publishedAt = publishedAt;
    this.#publication = publication;
  }

  /** Whether the publisher still waits for an answer. */
  get unanswered(): boolean {
    return this.#publication !== undefined;
  }

  /** Answers the publisher, once. */
  answer(state: ReceiptState): void {
    const publication = this.#publication;
    this.#publication = undefined;
    publication?.confirm(state);
  }
}

/** What a message is made of, wherever it comes from. */
export type MessageContent = Pick<Publication, "topic" | "id" | "key" | "header" | "body" | "bytes" | "origin">;
