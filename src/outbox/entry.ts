import type { DriverDelivery, Outcome } from "../driver.ts";
import type { Appointment } from "../internal/agenda.ts";
import type { Bagged } from "../internal/bag.ts";
import type { Header } from "../message.ts";
import type { Lane } from "./lane.ts";
import type { Carrier, Member } from "./member.ts";
import type { OutboxMessage } from "./message.ts";

/**
 * One message for one destination. `ready`: in line. `offered`: a member was asked to take it. `accepted`: a member has
 * it. `delayed`: waits for its next attempt. `done`: settled, moved or given up.
 */
export type EntryState = "ready" | "offered" | "accepted" | "delayed" | "done";

/** A message on its way to one destination. In a local member it is also what the portable layer settles. */
export class Entry implements DriverDelivery, Bagged {
  readonly message: OutboxMessage;
  readonly lane: Lane;
  state: EntryState = "ready";
  attempt = 1;
  firstFailureAt: number | undefined;
  /** Who has it, while it is offered or accepted. */
  member: Member | undefined;
  /** Its delay, while it is delayed. */
  delay: Appointment | undefined;
  /** When its last delay ends or ended, in milliseconds since the epoch; 0 without one. */
  dueAt = 0;
  /** Whether an earlier process ended with it, and may have ended because of it. */
  restored = false;
  /** Whether the message's publisher waits for this destination to take it. */
  awaited = false;
  /** Who was offered it last, and the number under which that one knows it: a carrier's own business. */
  carrier: Carrier | undefined;
  handover = 0;
  /** Where it is among what its member holds. */
  place = -1;

  constructor(message: OutboxMessage, lane: Lane) {
    this.message = message;
    this.lane = lane;
  }

  get topic(): string {
    return this.message.topic;
  }

  get id(): string {
    return this.message.id;
  }

  get key(): string | undefined {
    return this.message.key;
  }

  get header(): Header {
    return this.message.header;
  }

  get body(): Uint8Array {
    return this.message.body;
  }

  /** Whether it is in nobody's hands. */
  get waits(): boolean {
    return this.state === "ready" || this.state === "delayed";
  }

  /** Whether a handler may be at work on it. */
  get inHand(): boolean {
    return this.restored && this.state === "accepted";
  }

  settle(outcome: Outcome): void {
    this.lane.outbox.settle(this, outcome);
  }
}
