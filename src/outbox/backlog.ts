import type { Publication } from "../driver.ts";
import { BrokerError } from "../errors.ts";
import type { OutboxMessage } from "./message.ts";

/** The bounds of a {@link Backlog}. */
export interface BacklogLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly whenFull: "reject" | "wait";
}

/** A publication that waits for room. */
interface Parked {
  readonly bytes: number;
  readonly owner: object | undefined;
  readonly admit: () => void;
  readonly refuse: () => void;
}

/** How much an outbox keeps, and who waits for room. */
export class Backlog {
  messages = 0;
  bytes = 0;
  /** How many of the messages were adopted. */
  adopted = 0;
  readonly #limits: BacklogLimits;
  /** Who waits for room, in order, with `whenFull: "wait"`. */
  readonly #parked = new Set<Parked>();

  constructor(limits: BacklogLimits) {
    this.#limits = limits;
  }

  /** Whether there is room at once. */
  hasRoom(bytes: number): boolean {
    return this.#parked.size === 0 && this.#hasRoom(bytes);
  }

  /**
   * Calls `admit` when there is room, at once or later; fails the publication where there is none and it is not to wait.
   * @param owner whose message it is
   */
  ask(publication: Publication, admit: () => void, owner?: object): void {
    const { bytes } = publication;
    const refuse = () => publication.fail(this.#full(publication.topic));
    if (this.hasRoom(bytes)) admit();
    else if (this.#limits.whenFull === "wait" && bytes <= this.#limits.maxBytes) {
      const parked: Parked = { bytes, owner, admit, refuse };
      this.#parked.add(parked);
      // Whose publisher waits no longer was not handed over, and is not kept; it may have been in the way of smaller ones.
      publication.whenAnswered?.(() => {
        if (this.#parked.delete(parked)) this.#admitParked();
      });
    } else refuse();
  }

  add(message: OutboxMessage): void {
    this.messages += 1;
    if (message.adopted) this.adopted += 1;
    this.bytes += message.bytes;
  }

  remove(message: OutboxMessage): void {
    this.messages -= 1;
    if (message.adopted) this.adopted -= 1;
    this.bytes -= message.bytes;
    this.#admitParked();
  }

  /** Refuses what waits of one owner, who publishes nothing more. */
  leave(owner: object): void {
    this.#refuse((parked) => parked.owner === owner);
    this.#admitParked();
  }

  /** Refuses everybody who waits. */
  close(): void {
    this.#refuse(() => true);
  }

  #admitParked(): void {
    for (const parked of this.#parked) {
      if (!this.#hasRoom(parked.bytes)) return;
      this.#parked.delete(parked);
      parked.admit();
    }
  }

  #refuse(matches: (parked: Parked) => boolean): void {
    const refused = [...this.#parked].filter(matches);
    // Before any of them hears of it: their going makes room for nobody who is refused too.
    for (const parked of refused) this.#parked.delete(parked);
    for (const { refuse } of refused) refuse();
  }

  #hasRoom(bytes: number): boolean {
    return this.messages < this.#limits.maxMessages && this.bytes + bytes <= this.#limits.maxBytes;
  }

  #full(topic: string): BrokerError {
    const { maxMessages, maxBytes } = this.#limits;
    const held = `${this.messages} of ${maxMessages} messages and ${this.bytes} of ${maxBytes} bytes`;
    return new BrokerError("ERR_BACKLOG_FULL", `The backlog is full: it keeps ${held}.`, { topic });
  }
}
