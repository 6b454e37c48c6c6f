import { matchesTopic } from "../topics.ts";
import type { OutboxMessage } from "./message.ts";

/** Messages that nobody wants yet, by topic, in the order of publishing. */
export class Unwanted {
  readonly #byTopic = new Map<string, OutboxMessage[]>();

  add(message: OutboxMessage): void {
    const waiting = this.#byTopic.get(message.topic);
    if (waiting === undefined) this.#byTopic.set(message.topic, [message]);
    else waiting.push(message);
  }

  /** How many messages wait, by topic. */
  counts(): [string, number][] {
    return [...this.#byTopic].map(([topic, waiting]) => [topic, waiting.length]);
  }

  /** When the oldest of them was published, in milliseconds since the epoch; `Infinity` without any. */
  get oldestAt(): number {
    let oldestAt = Number.POSITIVE_INFINITY;
    for (const [first] of this.#byTopic.values()) oldestAt = Math.min(oldestAt, first?.publishedAt ?? oldestAt);
    return oldestAt;
  }

  /** Removes and returns what matches the pattern, in the order of publishing. */
  take(pattern: string): OutboxMessage[] {
    const taken: OutboxMessage[][] = [];
    for (const [topic, waiting] of this.#byTopic) {
      if (!matchesTopic(pattern, topic)) continue;
      taken.push(waiting);
      this.#byTopic.delete(topic);
    }
    return taken.flat().sort((left, right) => left.sequence - right.sequence);
  }

  /** Removes and returns what was published before a time, in milliseconds since the epoch. */
  takeOlderThan(publishedAt: number): OutboxMessage[] {
    const taken: OutboxMessage[][] = [];
    for (const [topic, waiting] of this.#byTopic) {
      const young = waiting.filter((message) => message.publishedAt >= publishedAt);
      if (young.length === waiting.length) continue;
      taken.push(waiting.filter((message) => message.publishedAt < publishedAt));
      if (young.length === 0) this.#byTopic.delete(topic);
      else this.#byTopic.set(topic, young);
    }
    return taken.flat();
  }
}
