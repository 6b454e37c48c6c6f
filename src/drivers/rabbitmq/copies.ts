import { BrokerError } from "../../errors.ts";
import type { Clock } from "../../internal/clock.ts";
import { climb } from "./ladder.ts";
import type { Names } from "./names.ts";
import { type Content, encode, FIELD } from "./native-message.ts";
import type { PublishWindow, Routed } from "./publish-window.ts";
import type { Topology } from "./topology.ts";

/** How often a copy is tried on a ladder's queue that is gone each time. */
const MAX_TRIES = 3;

/** How often what is due by now is forgotten of queues to which nothing is put off any more, in milliseconds. */
const SWEEP_MS = 60_000;

/** Sends copies of messages to one queue only: at once, or after a delay. */
export class Copies {
  readonly #names: Names;
  readonly #window: PublishWindow;
  readonly #topology: () => Promise<Topology>;
  readonly #clock: Clock;
  /** When the copies that this process put off are due, in the order of putting off, by queue. */
  readonly #due = new Map<string, number[]>();
  /** When that was last swept, in milliseconds since the epoch. */
  #sweptAt = 0;

  constructor(names: Names, window: PublishWindow, clock: Clock, topology: () => Promise<Topology>) {
    this.#names = names;
    this.#window = window;
    this.#clock = clock;
    this.#topology = topology;
  }

  /** How many copies this process has put off that are not due yet, by queue. */
  putOff(): Map<string, number> {
    const now = this.#clock.now();
    const counts = new Map<string, number>();
    for (const [queue, due] of this.#due) {
      const left = due.filter((dueAt) => dueAt > now);
      if (left.length === 0) this.#due.delete(queue);
      else this.#due.set(queue, left);
      counts.set(queue, left.length);
    }
    return counts;
  }

  /** Resolves when the server has the copy, or with `unrouted` when the queue is gone. */
  now(queue: string, content: Content): Promise<Routed> {
    return this.#window.publish("", queue, encode(content, true));
  }

  /** As {@link now}, after a delay: the ladder's queue gives the copy back to the queue that the routing key names. */
  async later(queue: string, content: Content, delayMs: number): Promise<Routed> {
    const step = climb(delayMs);
    if (step === undefined) return this.now(queue, content);
    const { stepMs, restMs } = step;
    const topology = await this.#topology();
    await topology.ladder(stepMs);
    const extra = { [FIELD.delay]: stepMs, ...(restMs > 0 ? { [FIELD.restMs]: Math.ceil(restMs) } : {}) };
    for (let tries = 1; ; tries += 1) {
      if ((await this.#window.publish(this.#names.delay, queue, encode(content, true, extra))) === "stored") break;
      // Somebody removed the ladder's queue since it was made.
      if (tries === MAX_TRIES) throw removedAgain(this.#names.ladder(stepMs));
      topology.forgetLadder(stepMs);
      await topology.ladder(stepMs);
    }
    this.#remember(queue, stepMs);
    return "stored";
  }

  #remember(queue: string, delayMs: number): void {
    const now = this.#clock.now();
    if (now - this.#sweptAt >= SWEEP_MS) {
      this.#sweptAt = now;
      this.putOff();
    }
    const due = this.#due.get(queue) ?? [];
    while ((due[0] ?? now) < now) due.shift();
    due.push(now + delayMs);
    this.#due.set(queue, due);
  }
}

function removedAgain(queue: string): BrokerError {
  return new BrokerError("ERR_DRIVER", `The queue ${queue}, which delays retries, is removed again and again.`, {
    driver: "rabbitmq",
    retryable: true,
  });
}
