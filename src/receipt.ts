/**
 * Who has taken charge of a published message.
 * - `stored`: an engine or a disk holds it, synced.
 * - `accepted`: every live target has it.
 * - `sent`: it was flushed to a server that promises nothing more.
 * - `waiting`: the outbox keeps it, for a first subscriber, a queue without a live member, or a target that is full.
 * - `unrouted`: nobody wants it, and it was not kept.
 */
export type ReceiptState = "stored" | "accepted" | "sent" | "waiting" | "unrouted";

/** What `publish` resolves with. */
export interface Receipt {
  /** The message's id: the one given, or a new UUID. Every delivery of the message carries it. */
  readonly id: string;
  readonly state: ReceiptState;
}
