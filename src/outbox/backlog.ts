import type { Publication } from "../driver.ts";
import { BrokerError } from "../errors.ts";
import type { OutboxMessage } from "./message.ts";

/** The bounds of a {@link Backlog}. */
export interface BacklogLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly whenFull: "reject" | "wait";
}

/** How much an outbox keeps, and who waits for room. */
export class Backlog {
  messages = 0;
  bytes = 0;
  /** How many of the messages were adopted. */
  adopted = 0;
  readonly #limits: BacklogLimits;
  /** Admissions that wait for room, in order, with `whenFull: "wait"`. */
  #parked: {
    readonly bytes: number;
    readonly owner: object | undefined;
    readonly admit: () => void;
    readonly refuse: () => void;
  }[] = [];

  constructor(limits: BacklogLimits) {
    this.#limits = limits;
  }

  /** Whether there is room at once. */
  hasRoom(bytes: number): boolean {
    return this.#parked.length === 0 && this.#hasRoom(bytes);
  }

  /**
   * Calls `admit` when there is room, at once or later; fails the publication where there is none and it is not to wait.
   * @param owner whose message it is
   */
  ask(publication: Publication, admit: () => void, owner?: object): void {
    const { bytes } = publication;
    const refuse = () => publication.fail(this.#full(publication.topic));
    if (this.hasRoom(bytes)) admit();
    else if (this.#limits.whenFull === "wait" && bytes <= this.#limits.maxBytes)
      this.#parked.push({ bytes, owner, admit, refuse });
    else refuse();
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

  #admitParked(): void {
    for (let first = this.#parked[0]; first !== undefined && this.#hasRoom(first.bytes); first = this.#parked[0]) {
      this.#parked.shift();
      first.admit();
    }
  }

  /** Refuses what waits of one owner, who publishes nothing more. */
  leave(owner: object): void {
    const leaving = this.#parked.filter((parked) => parked.owner === owner);
    this.#parked = this.#parked.filter((parked) => parked.owner !== owner);
    for (const { refuse } of leaving) refuse();
    this.#admitParked();
  }

  /** Refuses everybody who waits. */
  close(): void {
    for (const { refuse } of this.#parked.splice(0)) refuse();
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
