import type { Handler } from "../../delivery.ts";
import { RunningDelivery } from "../../running-delivery.ts";
import { realNow, realTimer } from "./real-time.ts";
import type { VirtualClock } from "./virtual-clock.ts";
import { WatchedDelivery } from "./watched-delivery.ts";

/** A delivery in the hands of the program under test. */
interface Run {
  /** Who has it, for people. */
  readonly by: string;
  readonly delivery: RunningDelivery;
  readonly since: number;
  /** Whether its handler has ended; a delivery taken from a stream has none. */
  ended: boolean;
}

/** A message that waits for its next attempt. */
export interface Wait {
  /** In virtual time. */
  readonly dueAt: number;
  /** The message and the attempt, for people. */
  readonly what: string;
  /** Whether it waits above the driver, as messages with `orderBy: "key"` do. */
  readonly local: boolean;
}

/** What is going on in a test broker: what runs, what waits for time to pass, and a call for whoever waits for a change. */
export class Activity {
  readonly #clock: VirtualClock;
  #runs: Run[] = [];
  #waits: Wait[] = [];
  #listeners: (() => void)[] = [];

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** Something has changed: wakes whoever waits in `change`. */
  touch(): void {
    for (const listener of this.#listeners.splice(0)) listener();
  }

  /** Resolves at the next change, and at the latest at `deadlineAt` of real time. */
  change(deadlineAt: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = realTimer(Math.max(0, deadlineAt - realNow()), resolve);
      this.#listeners.push(() => {
        cancel();
        resolve();
      });
    });
  }

  /** The handler, watched; messages from before a `reset()` do not reach it. */
  watch(handler: Handler, pattern: string, queue: string | undefined): Handler {
    const by = `the handler of ${pattern}${queue === undefined ? "" : ` (queue ${queue})`}`;
    return (delivery) => {
      if (!(delivery instanceof RunningDelivery)) return handler(delivery);
      if (isDropped(delivery)) return undefined;
      const run = this.#begin(by, delivery, false);
      let result: unknown;
      try {
        result = handler(delivery);
      } catch (error) {
        this.#end(run);
        throw error;
      }
      if (isThenable(result)) return Promise.resolve(result).finally(() => this.#end(run));
      this.#end(run);
      return result;
    };
  }

  /** A delivery was taken from a stream: it is in the program's hands until it is settled. */
  taken(delivery: RunningDelivery, pattern: string): void {
    this.#begin(`a reader of ${pattern}`, delivery, true);
  }

  /** Whether a handler runs, or a delivery that was taken is not settled. */
  get busy(): boolean {
    return this.#running().length > 0;
  }

  /** As `busy`, but for handlers whose time limit has passed. */
  get busyInTime(): boolean {
    return this.#running().some((run) => run.delivery.state !== "stale");
  }

  /** Whatever `busy` is about, a line each. */
  describe(): string[] {
    return this.#running().map(({ by, delivery, since, ended }) => {
      const note = ended ? ", not settled" : delivery.state === "stale" ? ", past its time limit" : "";
      const ms = Math.round(realNow() - since);
      return `${by}: message ${delivery.id} on ${delivery.topic}, attempt ${delivery.attempt}, for ${ms} ms${note}`;
    });
  }

  /** A message waits for its next attempt. */
  wait(wait: Wait): void {
    this.#waits.push(wait);
  }

  /** The next attempt to come, if there is one. */
  get nextWait(): Wait | undefined {
    this.#waits = this.#waits.filter(({ dueAt }) => dueAt > this.#clock.now());
    let next: Wait | undefined;
    for (const wait of this.#waits) if (next === undefined || wait.dueAt < next.dueAt) next = wait;
    return next;
  }

  /** The messages that wait in the driver are gone, and handlers past their time limit are nobody's concern any more. */
  forget(): void {
    this.#waits = this.#waits.filter(({ local }) => local);
    this.#runs = this.#runs.filter(({ delivery }) => delivery.state !== "stale");
  }

  #begin(by: string, delivery: RunningDelivery, ended: boolean): Run {
    const run = { by, delivery, since: realNow(), ended };
    this.#runs.push(run);
    return run;
  }

  #end(run: Run): void {
    run.ended = true;
    this.touch();
  }

  #running(): readonly Run[] {
    this.#runs = this.#runs.filter(({ ended, delivery }) => !ended || delivery.state === "open");
    return this.#runs;
  }
}

/** Whether a `reset()` has dropped the message of this delivery. */
export function isDropped({ source }: RunningDelivery): boolean {
  return source instanceof WatchedDelivery && source.dropped;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
