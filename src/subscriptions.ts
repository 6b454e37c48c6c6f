import { randomUUID } from "node:crypto";
import type { ResolvedSubscribeOptions } from "./check-options.ts";
import type { Connection } from "./connection.ts";
import type { Handler } from "./delivery.ts";
import type { Driver, DriverSubscription } from "./driver.ts";
import { BrokerError, wrapError } from "./errors.ts";
import type { Clock } from "./internal/clock.ts";
import { MovableDeadline } from "./internal/deadline.ts";
import { before } from "./internal/wait.ts";
import { messageBytes } from "./message.ts";
import { Outgoing } from "./outgoing.ts";
import type { Subscriber } from "./subscriber.ts";
import { Subscription, type SubscriptionHost } from "./subscription.ts";

interface Opened {
  readonly subscription: Subscription;
  readonly subscriber: Subscriber;
}

type Closer = (deadlineAt: number, disconnecting: boolean) => Promise<void>;

/** The subscriptions of one broker. */
export class Subscriptions {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #closers = new Set<Closer>();
  readonly #opening = new Set<Promise<Opened>>();

  constructor(connection: Connection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
  }

  /** Opens a subscription on the driver. */
  async open(
    driver: Driver,
    pattern: string,
    handler: Handler | undefined,
    options: ResolvedSubscribeOptions,
    signal: AbortSignal | undefined,
  ): Promise<Opened> {
    const opening = this.#open(driver, pattern, handler, options, signal);
    this.#opening.add(opening);
    try {
      return await opening;
    } finally {
      this.#opening.delete(opening);
    }
  }

  async #open(
    driver: Driver,
    pattern: string,
    handler: Handler | undefined,
    options: ResolvedSubscribeOptions,
    signal: AbortSignal | undefined,
  ): Promise<Opened> {
    signal?.throwIfAborted();
    if (this.#isEnding(driver)) throw disconnected(driver, pattern);
    const subscription = new Subscription(randomUUID(), pattern, options, handler, this.#host(driver));
    const lower = await this.#subscribe(driver, subscription);
    const close = this.#closer(subscription, lower, signal);
    if (this.#isEnding(driver)) {
      await close(this.#clock.now(), true);
      // An iterator simply ends, as one that was open does; whoever waits for `subscribe` must not think that it is.
      if (handler !== undefined) throw disconnected(driver, pattern);
    }
    const unsubscribe = () => close(this.#clock.now() + options.drainTimeoutMs, false);
    const subscriber = {
      id: subscription.id,
      topic: pattern,
      queue: options.queue,
      unsubscribe,
      [Symbol.asyncDispose]: unsubscribe,
    };
    if (signal?.aborted) {
      await unsubscribe();
      throw signal.reason;
    }
    return { subscription, subscriber };
  }

  /**
   * Drains all of them at once, those too that are being opened, once the broker closes or its connection is lost for good.
   * Failures are reported.
   */
  async closeAll(deadlineAt: number): Promise<void> {
    const opening = Promise.allSettled(this.#opening);
    const results = await Promise.allSettled([...this.#closers].map((close) => close(deadlineAt, true)));
    for (const result of results) if (result.status === "rejected") this.#connection.report(result.reason);
    // Whatever is being opened closes itself when it sees that the broker closes.
    await before(this.#clock, deadlineAt, opening);
  }

  #isEnding(driver: Driver): boolean {
    return this.#connection.status === "draining" || this.#connection.driver !== driver;
  }

  async #subscribe(driver: Driver, subscription: Subscription): Promise<DriverSubscription> {
    const { id, pattern, options } = subscription;
    try {
      return await driver.subscribe({
        id,
        pattern,
        queue: options.queue,
        prefetch: options.prefetch,
        ackTimeoutMs: options.ackTimeoutMs,
        maxAttempts: options.maxAttempts,
        deliver: (delivery) => subscription.deliver(delivery),
        onEnd: (error) => {
          subscription.endPulls();
          this.#connection.report(error);
        },
      });
    } catch (error) {
      const context = { driver: driver.name, topic: pattern };
      const wrapped = wrapError(error, "ERR_DRIVER", `Subscribing to ${pattern} failed`, context);
      // A connection that is being closed fails in ways of its own.
      const isBroken = wrapped.code === "ERR_DRIVER" || wrapped.code === "ERR_CONNECTION_LOST";
      throw isBroken && this.#isEnding(driver) ? disconnected(driver, pattern, wrapped) : wrapped;
    }
  }

  /** What ends a subscription, once, however often it is called; an abort of the signal calls it too. */
  #closer(subscription: Subscription, lower: DriverSubscription, signal: AbortSignal | undefined): Closer {
    const { pattern, options } = subscription;
    let closing: Promise<void> | undefined;
    const deadline = new MovableDeadline(this.#clock, Number.POSITIVE_INFINITY);
    const close = (deadlineAt: number, disconnecting: boolean) => {
      deadline.bringForward(Math.min(deadlineAt, this.#clock.now() + options.drainTimeoutMs));
      closing ??= subscription
        .drain(lower, deadline, disconnecting)
        .catch((error: unknown) => {
          throw wrapError(error, "ERR_DRIVER", `Ending the subscription to ${pattern} failed`, { topic: pattern });
        })
        .finally(() => {
          this.#closers.delete(close);
          signal?.removeEventListener("abort", abort);
        });
      return closing;
    };
    const abort = () => {
      close(Number.POSITIVE_INFINITY, false).catch((error: BrokerError) => this.#connection.report(error));
    };
    this.#closers.add(close);
    signal?.addEventListener("abort", abort, { once: true });
    return close;
  }

  #host(driver: Driver): SubscriptionHost {
    const connection = this.#connection;
    return {
      name: driver.name,
      clock: this.#clock,
      movesDeadLetters: driver.capabilities.deadLetterMove === "move",
      deliversAgain: driver.capabilities.guarantee === "at-least-once",
      async publishDeadLetter(topic, source, header, origin) {
        const content = {
          topic,
          id: source.id,
          key: source.key,
          header,
          body: source.body,
          bytes: messageBytes(header, source.body),
          mandatory: false,
          origin,
          ownsBody: false,
        };
        await new Promise((resolve, reject) => {
          connection.outbound.send(new Outgoing(driver.name, content, resolve, reject));
        });
      },
      onError: (error) => connection.report(error),
      onGiveUp: (topic, id, queue, reason) => connection.giveUp({ topic, id, queue, reason }),
    };
  }
}

function disconnected(driver: Driver, pattern: string, cause?: BrokerError): BrokerError {
  const message = `The broker was disconnected while it subscribed to ${pattern}.`;
  return new BrokerError("ERR_NOT_CONNECTED", message, { driver: driver.name, topic: pattern, cause });
}
