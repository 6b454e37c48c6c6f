import type { Dead } from "../../driver.ts";
import { matchesTopic } from "../../topics.ts";
import { Activity } from "./activity.ts";
import { FailureList } from "./failures.ts";
import { Outage } from "./outage.ts";
import type { DeadLetteredMessage, PublishedMessage } from "./recorded-message.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** What the parts of one test broker share. */
export class Ledger {
  readonly clock: VirtualClock;
  readonly activity: Activity;
  readonly failures: FailureList = new FailureList();
  readonly outage: Outage = new Outage();
  /** Dead letters that could not be written, by where they failed and the message's id. */
  readonly unwritten: Map<string, Dead> = new Map();
  /** Counts the resets: deliveries of an earlier generation are dropped. */
  generation = 0;
  #published: PublishedMessage[] = [];
  /** Those of them that were not published. */
  readonly #failed = new Set<PublishedMessage>();
  #deadLettered: DeadLetteredMessage[] = [];

  constructor(now: number) {
    this.clock = new VirtualClock(now);
    this.activity = new Activity(this.clock);
  }

  recordPublished(message: PublishedMessage): void {
    this.#published.push(message);
  }

  /** The publish failed after all. */
  removePublished(message: PublishedMessage): void {
    this.#failed.add(message);
  }

  /** It did not: the message was taken, although its publisher had gone. */
  restorePublished(message: PublishedMessage): void {
    this.#failed.delete(message);
  }

  recordDeadLettered(message: DeadLetteredMessage): void {
    this.#deadLettered.push(message);
  }

  published(pattern: string): PublishedMessage[] {
    return this.#published.filter((message) => matchesTopic(pattern, message.topic) && !this.#failed.has(message));
  }

  /** By the topic that failed, or by that of the dead letter. */
  deadLettered(pattern: string): DeadLetteredMessage[] {
    return this.#deadLettered.filter(
      ({ topic, deadLetterTopic }) => matchesTopic(pattern, topic) || matchesTopic(pattern, deadLetterTopic),
    );
  }

  /** Forgets everything but what runs within its time limit, and what waits above the driver. */
  clear(): void {
    this.#published = [];
    this.#failed.clear();
    this.#deadLettered = [];
    this.unwritten.clear();
    this.failures.nothing();
    this.activity.forget();
  }
}
