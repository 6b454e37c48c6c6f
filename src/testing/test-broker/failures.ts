import { check, checkOptions } from "../../check-options.ts";
import { BrokerError } from "../../errors.ts";
import { checkPattern, matchesTopic } from "../../topics.ts";

/** What is to fail, and how often. */
export interface FailOptions {
  /** Only on this topic or pattern. Default: on any topic. */
  topic?: string;
  /** How often. Default once; `Infinity` until `nothing()` or `reset()`. */
  times?: number;
  /** What it fails with. Default a `BrokerError` with the code `ERR_CONNECTION_LOST`. */
  error?: Error;
}

/** The failures of a test broker: each call asks for the next ones. They come from the driver, as a real broker's would. */
export interface Failures {
  /** The next publishes reject, and nobody gets their messages. */
  publish(options?: FailOptions): void;
  /** The next acks fail: the message comes again a second of virtual time later, as the next attempt. */
  ack(options?: FailOptions): void;
  /**
   * The next dead letters cannot be written: `onError` hears `ERR_DEAD_LETTER`, the message stays, and a second of virtual
   * time later the dead letter is written again, without a handler start.
   */
  deadLetter(options?: FailOptions): void;
  /** Takes back every failure that has not happened yet. */
  nothing(): void;
}

/** What can be made to fail. */
type What = "publish" | "ack" | "deadLetter";

interface Asked {
  readonly what: What;
  readonly topic: string | undefined;
  readonly error: Error | undefined;
  left: number;
}

/** The failures that were asked for, for whoever carries them out. */
export class FailureList implements Failures {
  #asked: Asked[] = [];

  publish(options?: FailOptions): void {
    this.#ask("publish", options);
  }

  ack(options?: FailOptions): void {
    this.#ask("ack", options);
  }

  deadLetter(options?: FailOptions): void {
    this.#ask("deadLetter", options);
  }

  nothing(): void {
    this.#asked = [];
  }

  /** The error that this fails with now, if it does; takes one of the failures that were asked for. */
  take(what: What, ...topics: readonly string[]): Error | undefined {
    const found = this.#asked.find(
      (asked) =>
        asked.what === what && topics.some((topic) => asked.topic === undefined || matchesTopic(asked.topic, topic)),
    );
    if (found === undefined) return undefined;
    found.left -= 1;
    if (found.left === 0) this.#asked = this.#asked.filter((asked) => asked !== found);
    const message = `The test asked for a failure: fail.${what} on ${topics[0]}.`;
    return found.error ?? new BrokerError("ERR_CONNECTION_LOST", message, { driver: "memory", topic: topics[0] });
  }

  #ask(what: What, options: FailOptions = {}): void {
    checkOptions(options, table, `fail.${what}`);
    this.#asked.push({ what, topic: options.topic, error: options.error, left: options.times ?? 1 });
  }
}

const table = {
  topic: (value: unknown): undefined => {
    checkPattern(value);
  },
  times: check.count,
  error: (value: unknown): string | undefined => (value instanceof Error ? undefined : "an Error"),
};
