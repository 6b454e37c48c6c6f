import type { DeadLetterOrigin, Publication } from "../driver.ts";
import type { BrokerError } from "../errors.ts";
import type { Timed } from "../internal/deadline-list.ts";
import type { Header } from "../message.ts";
import type { ReceiptState } from "../receipt.ts";

/** The owner of what another process left, or an earlier one: this process did not publish it. */
export const ADOPTED: object = Object.freeze({});

/** A message that the outbox keeps until every destination has settled it. */
export class OutboxMessage implements Timed {
  /** What it is made of: the publication itself, where there is one. */
  readonly content: MessageContent;
  /** Position in the order of publishing. */
  readonly sequence: number;
  readonly publishedAt: number;
  /** Destinations that have not settled it, and the list of unwanted messages if it is in there. */
  holders = 0;
  /** Live destinations that have not taken it yet; the publish is answered when none is left. */
  unaccepted = 0;
  /** Whether a live destination has taken it. */
  accepted = false;
  /** Whose message it is: a disconnecting broker counts what it gives up of its own. A dead letter is of the same owner. */
  readonly owner: object | undefined;
  /** What the journal knows it by; 0 without one. */
  journalId = 0;
  deadlineAt = 0;
  previousTimed: Timed | undefined;
  nextTimed: Timed | undefined;
  #publication: Publication | undefined;

  constructor(
    content: MessageContent,
    sequence: number,
    publishedAt: number,
    publication?: Publication,
    owner?: object,
  ) {
    this.content = content;
    this.sequence = sequence;
    this.publishedAt = publishedAt;
    this.#publication = publication;
    this.owner = owner;
  }

  get topic(): string {
    return this.content.topic;
  }

  get id(): string {
    return this.content.id;
  }

  get key(): string | undefined {
    return this.content.key;
  }

  get header(): Header {
    return this.content.header;
  }

  get body(): Uint8Array {
    return this.content.body;
  }

  /** Header and body, in bytes. */
  get bytes(): number {
    return this.content.bytes;
  }

  get adopted(): boolean {
    return this.owner === ADOPTED;
  }

  get origin(): DeadLetterOrigin | undefined {
    return this.content.origin;
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

  /** Tells the publisher that nobody has taken charge of the message. */
  fail(error: BrokerError): void {
    const publication = this.#publication;
    this.#publication = undefined;
    publication?.fail(error);
  }
}

/** What a message is made of, wherever it comes from. */
export type MessageContent = Pick<Publication, "topic" | "id" | "key" | "header" | "body" | "bytes" | "origin">;
