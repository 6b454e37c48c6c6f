import type { BrokerError } from "../errors.ts";
import type { Entry } from "./entry.ts";
import type { Lane } from "./lane.ts";
import type { OutboxMessage } from "./message.ts";

/**
 * Hears that something is synced, or why it is not. What it returns is called soon after, when the next group is on its way
 * to the disk: work that need not be done before that.
 */
export type OnStored = (error: BrokerError | undefined) => (() => void) | undefined;

/**
 * What an outbox tells of the messages that it keeps, so that another process can go on where this one ended. Every call
 * returns at once. What is told within one turn of the event loop is written in one step, all of it or nothing; but a
 * `store` with `onStored` begins a new step. So a message moves without a moment in which it is nowhere: `store` it where
 * it goes to, and then say that it is `finished` where it was.
 */
export interface Journal {
  /**
   * Writes a message down for these lanes; without any it waits for its first subscriber. Told again of a message, what
   * is said now counts.
   * @param onStored called once, later, in the order of the calls: the message is synced, or it could not be written and is
   * not kept. Without it the message is kept in any case: it is written as soon as that is possible.
   */
  store(message: OutboxMessage, lanes: readonly Lane[], onStored?: OnStored): void;
  /** A lane wants a message that nobody wanted before. */
  wanted(message: OutboxMessage, lane: Lane): void;
  /**
   * An entry's attempt, first failure, delay or holder changed.
   * @param onWritten called once it is written down, or could not be.
   */
  changed(entry: Entry, onWritten?: () => void): void;
  /** A lane has done with a message, or nobody wanted it in time; without `holders` the message is gone. */
  finished(message: OutboxMessage, laneId: string | undefined): void;
  /** A lane is new. */
  laneAdded(lane: Lane): void;
  /** A lane is gone. */
  laneRemoved(lane: Lane): void;
}
