import type { Publication } from "../driver.ts";
import { BrokerError } from "../errors.ts";
import type { Clock } from "../internal/clock.ts";
import { DeadlineList } from "../internal/deadline-list.ts";
import type { Entry } from "./entry.ts";
import type { Lane } from "./lane.ts";
import type { OutboxMessage } from "./message.ts";

/**
 * When a publisher is answered (D1): `accepted` as soon as every live destination has the message, `waiting` when none is
 * live or when that takes longer than its time limit. What the message's destinations do later changes nothing.
 */
export class Answers {
  readonly #unanswered: DeadlineList<OutboxMessage>;

  constructor(clock: Clock) {
    this.#unanswered = new DeadlineList(clock, (message) => message.answer("waiting"));
  }

  /** Their publishers wait for this destination, if it is live and they wait at all. Returns whether they do. */
  expect(messages: readonly OutboxMessage[], lane: Lane): boolean {
    if (!lane.live || messages[0]?.unanswered !== true) return false;
    for (const message of messages) message.unaccepted += 1;
    return true;
  }

  /** All destinations were told: answers now, or at the latest at `deadlineAt`. */
  expected(message: OutboxMessage, deadlineAt: number): void {
    if (!message.unanswered) return;
    if (message.unaccepted === 0) message.answer(message.accepted ? "accepted" : "waiting");
    else this.#unanswered.add(message, deadlineAt);
  }

  /** A destination has taken the message, or will not. */
  settle(entry: Entry, taken: boolean): void {
    if (!entry.awaited) return;
    entry.awaited = false;
    const { message } = entry;
    message.accepted ||= taken;
    message.unaccepted -= 1;
    if (message.unaccepted > 0) return;
    this.#unanswered.remove(message);
    message.answer(message.accepted ? "accepted" : "waiting");
  }

  /** Nothing is kept any more: no timer has to run. */
  rest(): void {
    this.#unanswered.rest();
  }

  close(): void {
    this.#unanswered.clear();
  }
}

/** What a publisher hears where nobody is to get its message. */
export function noSubscribers({ topic }: Publication): BrokerError {
  return new BrokerError("ERR_NO_SUBSCRIBERS", `Nobody subscribes to ${topic}.`, { topic });
}
