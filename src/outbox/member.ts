import type { SubscribeRequest } from "../driver.ts";
import { Bag } from "../internal/bag.ts";
import type { Entry } from "./entry.ts";
import type { Lane } from "./lane.ts";

/** How messages reach a member. */
export interface Carrier {
  /**
   * Hands a message over, and later calls `accept`, `refuse`, `lose`, `takeBack` or `settle` of the outbox. Until then it gets no
   * other message, which keeps the order; unless it is `pipelined`, or `takesAll`.
   */
  offer(entry: Entry): void;
  /** Whether it keeps the order by itself, and takes as many messages at a time as its member has `room` for. */
  readonly pipelined?: boolean;
  /** Whether it takes all that it is offered: that counts as taken before it is called. */
  readonly takesAll?: boolean;
  /** Messages wait in its lane, and no member of it is free. Called often. */
  starve?(): void;
}

const OPEN = Object.freeze({ open: true });

/** Whoever takes messages of a lane: a subscription of this process, or one of another. */
export class Member {
  /** The subscription's id. */
  readonly id: string;
  readonly carrier: Carrier;
  /** Whether its carrier is. */
  readonly pipelined: boolean;
  /** Whether its carrier does. */
  readonly takesAll: boolean;
  /** The lane that it takes from. */
  lane: Lane | undefined;
  /** How many messages it may hold. Of no meaning with a pipelined carrier. */
  readonly window: number;
  /** How many more messages a pipelined carrier may be offered; the carrier counts up, the outbox down. */
  room = 0;
  /** Whether its carrier can send at the moment; a carrier may share it among its members. */
  flow: { readonly open: boolean } = OPEN;
  /** What it holds, offered and accepted. */
  readonly entries: Bag<Entry> = new Bag();
  /** Whether it was offered a message that it has not taken yet. */
  offering = false;
  /** Not offered anything until this time (milliseconds since the epoch): it is full, or could not be reached. 0 once it is over. */
  pausedUntil = 0;
  #leaving = false;

  constructor(id: string, window: number, carrier: Carrier) {
    this.id = id;
    this.window = window;
    this.carrier = carrier;
    this.pipelined = carrier.pipelined === true;
    this.takesAll = carrier.takesAll === true;
  }

  /** Whether it takes no more messages: it is leaving. */
  get leaving(): boolean {
    return this.#leaving;
  }

  /** It takes no more messages. */
  leave(): void {
    this.#leaving = true;
    this.lane?.look();
  }

  /** A message is in its hands: offered, and not accepted yet. */
  take(entry: Entry): void {
    entry.state = "offered";
    entry.member = this;
    entry.carrier = this.carrier;
    this.entries.add(entry);
  }

  /** What it holds, in the order of publishing. */
  inOrder(): Entry[] {
    return [...this.entries].sort((one, other) => one.message.sequence - other.message.sequence);
  }

  /** Whether it can be offered a message now. */
  get free(): boolean {
    if (this.#leaving || this.pausedUntil !== 0) return false;
    if (this.pipelined) return this.room > 0 && this.flow.open;
    return !this.offering && this.entries.size < this.window;
  }
}

/** A member of this process: whatever it is offered, it takes. */
export function localCarrier(request: SubscribeRequest): Carrier {
  return {
    takesAll: true,
    offer: (entry) => request.deliver(entry),
  };
}
