import type { DriverDelivery } from "../driver.ts";
import type { Entry } from "./entry.ts";
import type { Lane } from "./lane.ts";

/** How messages reach a member. */
export interface Carrier {
  /**
   * Hands a message over. Returns true when the member has taken it by the time of return; otherwise the carrier later
   * calls `accept`, `refuse`, `lose` or `settle` of the outbox, and gets no other message until then: that keeps the order.
   */
  offer(entry: Entry): boolean;
}

/** Whoever takes messages of a lane: a subscription of this process, or one of another. */
export class Member {
  /** The subscription's id. */
  readonly id: string;
  readonly carrier: Carrier;
  /** The lane that it takes from. */
  lane: Lane | undefined;
  /** How many messages it may hold. */
  readonly window: number;
  /** What it holds, offered and accepted, oldest first. */
  readonly entries: Set<Entry> = new Set();
  /** Whether it was offered a message that it has not taken yet. */
  offering = false;
  /** Not offered anything before this time (milliseconds since the epoch): it is full, or could not be reached. */
  pausedUntil = 0;
  /** Whether it takes no more messages: it is leaving. */
  leaving = false;

  constructor(id: string, window: number, carrier: Carrier) {
    this.id = id;
    this.window = window;
    this.carrier = carrier;
  }

  /** Whether it can be offered a message now. */
  free(now: number): boolean {
    return !this.offering && !this.leaving && this.entries.size < this.window && this.pausedUntil <= now;
  }
}

/** A member of this process: whatever it is offered, it takes. */
export function localCarrier(deliver: (delivery: DriverDelivery) => void): Carrier {
  return {
    offer(entry) {
      deliver(entry);
      return true;
    },
  };
}
