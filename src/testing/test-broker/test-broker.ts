import { Broker } from "../../broker.ts";
import type { BrokerOptions, SubscribeOptions } from "../../broker-options.ts";
import { check, checkOptions } from "../../check-options.ts";
import { json } from "../../codecs/json.ts";
import type { Handler } from "../../delivery.ts";
import { BrokerError } from "../../errors.ts";
import type { Clock } from "../../internal/clock.ts";
import { silentLogger } from "../../logger.ts";
import type { MessageStream } from "../../message-stream.ts";
import type { Subscriber } from "../../subscriber.ts";
import { checkPattern } from "../../topics.ts";
import type { Failures } from "./failures.ts";
import { Ledger } from "./ledger.ts";
import type { DeadLetteredMessage, PublishedMessage } from "./recorded-message.ts";
import { Timekeeper } from "./timekeeper.ts";
import { watchStream } from "./watch-stream.ts";
import { WatchedDriver } from "./watched-driver.ts";

/**
 * Options of {@link testBroker}: those of any broker, and these. Two have other defaults: `logger` is silent, and
 * `acceptTimeoutMs` is 0, so that a publish to a full target answers `waiting` at once and no test waits for itself.
 */
export interface TestBrokerOptions extends BrokerOptions {
  /** How long handlers may run on in `settled`, `reset` and `disconnect`, in milliseconds of real time. Default 5,000. */
  timeoutMs?: number;
  /** When virtual time begins, in milliseconds since the epoch. Default the time at which the broker is made. */
  now?: number;
}

/** A virtual `ackTimeoutMs` for "never" that can still be added to: some 35,000 years. */
const NEVER_MS = 2 ** 50;

/**
 * A broker for tests: messages within this object alone, and time that passes only in `settled` and `advance`. It keeps every
 * promise that the memory broker keeps, and goes wherever a `Broker` goes. Made by {@link testBroker}.
 */
export class TestBroker extends Broker<undefined> {
  /** Makes publishes, acks and dead letters fail. */
  readonly fail: Failures;
  /** Virtual time: `clock.now()` reads it, and what takes a clock as an option, such as a middleware, can run on it. */
  readonly clock: Clock;
  readonly #ledger: Ledger;
  readonly #driver: WatchedDriver;
  readonly #time: Timekeeper;
  readonly #timeoutMs: number;

  constructor(options: TestBrokerOptions = {}) {
    const { timeoutMs, now, ...rest } = options;
    checkOptions({ timeoutMs, now }, { timeoutMs: check.positiveMs, now: check.ms }, "testBroker");
    const ledger = new Ledger(now ?? Date.now());
    const driver = new WatchedDriver(ledger);
    const source = { name: driver.name, load: async () => driver };
    super({ source, codec: json, clock: ledger.clock }, { logger: silentLogger, acceptTimeoutMs: 0, ...rest });
    this.fail = ledger.failures;
    this.clock = ledger.clock;
    this.#ledger = ledger;
    this.#driver = driver;
    this.#time = new Timekeeper(ledger);
    this.#timeoutMs = timeoutMs ?? 5_000;
  }

  /**
   * What was published to a topic or pattern so far, in order, whatever became of it; not what failed to be published.
   * @throws BrokerError `ERR_INVALID_TOPIC`
   */
  published(topic: string): PublishedMessage[] {
    checkPattern(topic);
    return this.#ledger.published(topic);
  }

  /**
   * What became a dead letter so far, in order, also if it was redriven, dropped or read since. `topic` is the topic or
   * pattern on which messages failed, or that of their dead letters.
   * @throws BrokerError `ERR_INVALID_TOPIC`
   */
  deadLettered(topic: string): DeadLetteredMessage[] {
    checkPattern(topic);
    return this.#ledger.deadLettered(topic);
  }

  /**
   * Resolves when nothing is left to do: every message is handled, is a dead letter, or waits for somebody to subscribe or to
   * read. Handlers that run are waited for in real time; where none runs, virtual time jumps to the next retry. Time limits of
   * handlers do not pass: that is what `advance` is for.
   * @throws Error after `timeoutMs` of real time (default: the option of the broker), naming what still runs.
   */
  async settled(options: { timeoutMs?: number } = {}): Promise<void> {
    checkOptions(options, { timeoutMs: check.positiveMs }, "settled");
    await this.#time.settled(options.timeoutMs ?? this.#timeoutMs);
  }

  /**
   * Moves virtual time by `ms`. Everything that becomes due runs, in order: retries, time limits, deadlines. Handlers are not
   * waited for: time passes for those that run, too.
   * @throws BrokerError `ERR_INVALID_OPTION`
   */
  async advance(ms: number): Promise<void> {
    checkOptions({ ms }, { ms: check.ms }, "advance");
    await this.#time.advance(ms);
  }

  /**
   * Cuts the connection: the status is `reconnecting`, publishes wait in the buffer, subscribing fails, nothing is delivered,
   * and a handler that ends cannot settle (`ERR_CONNECTION_LOST`), so that its message comes again; until `restoreConnection`,
   * `reset` or `disconnect`: the next `connect` makes a new one. Idempotent.
   * @throws BrokerError `ERR_NOT_CONNECTED`
   */
  loseConnection(): void {
    if (this.status !== "connected" && this.status !== "reconnecting")
      throw new BrokerError("ERR_NOT_CONNECTED", `There is no connection to lose: the broker is ${this.status}.`);
    this.#driver.down();
  }

  /** Restores the connection with everything on it. Idempotent. */
  restoreConnection(): void {
    this.#driver.up();
  }

  /**
   * Makes the broker as new for the next test: drops all messages, dead letters, records and failures, and all queues without a
   * member. Subscriptions stay. Waits for handlers that run within their time limit; virtual time may pass.
   * @throws Error after `timeoutMs` of real time, naming what still runs; everything is dropped all the same.
   */
  async reset(): Promise<void> {
    this.#ledger.generation += 1;
    this.#driver.up();
    try {
      await this.#time.idle(this.#timeoutMs);
    } finally {
      await this.#driver.renew();
      this.#ledger.clear();
      await this.#time.passWaits();
    }
  }

  override async subscribe(topic: string, handler: Handler, options: SubscribeOptions = {}): Promise<Subscriber> {
    const watched =
      typeof handler === "function" ? this.#ledger.activity.watch(handler, topic, options.queue) : handler;
    const subscriber = await super.subscribe(topic, watched, finite(options));
    const unsubscribe = () => this.#passTime(subscriber.unsubscribe());
    return { ...subscriber, unsubscribe, [Symbol.asyncDispose]: unsubscribe };
  }

  override messages(topic: string, options: SubscribeOptions = {}): MessageStream {
    const stream = super.messages(topic, finite(options));
    return watchStream(stream, topic, this.#ledger.activity, (ending) => this.#passTime(ending));
  }

  /** As any broker's; the time between attempts passes meanwhile, as in `settled`. */
  override async flush(options: { signal?: AbortSignal } = {}): Promise<void> {
    await Promise.all([super.flush(options), this.settled()]);
  }

  /**
   * As any broker's, but queues and dead letters stay, as they would on a server. Handlers that run get `timeoutMs` of real
   * time to end; then virtual time moves on to the drain deadline.
   * @throws BrokerError `ERR_UNDELIVERED` when messages were given up that only subscriptions without a queue wanted.
   */
  override disconnect(): Promise<void> {
    return this.#passTime(super.disconnect());
  }

  /** Drops all messages and disconnects: what a test leaves behind is no error. */
  override async [Symbol.asyncDispose](): Promise<void> {
    this.#ledger.generation += 1;
    this.#driver.up();
    await this.#driver.renew();
    await this.disconnect();
  }

  #passTime<T>(ending: Promise<T>): Promise<T> {
    return this.#time.until(ending, this.#timeoutMs);
  }
}

/**
 * Makes a broker for a test. Like any other it wants `connect()`, which the program under test may do itself: connecting twice
 * is harmless. Each is alone with its messages and its time.
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export function testBroker(options: TestBrokerOptions = {}): TestBroker {
  return new TestBroker(options);
}

function finite(options: SubscribeOptions): SubscribeOptions {
  return options.ackTimeoutMs === Number.POSITIVE_INFINITY ? { ...options, ackTimeoutMs: NEVER_MS } : options;
}
