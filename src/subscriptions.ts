import { randomUUID } from "node:crypto";
import type { ResolvedSubscribeOptions } from "./check-options.ts";
import type { Connection } from "./connection.ts";
import type { Handler } from "./delivery.ts";
import type { Driver, DriverSubscription } from "./driver.ts";
import { wrapError } from "./errors.ts";
import type { Clock } from "./internal/clock.ts";
import { messageBytes } from "./message.ts";
import { Outgoing } from "./outgoing.ts";
import type { Subscriber } from "./subscriber.ts";
import { Subscription, type SubscriptionHost } from "./subscription.ts";

interface Opened {
  readonly subscription: Subscription;
  readonly subscriber: Subscriber;
}

/** The subscriptions of one broker. */
export class Subscriptions {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #closers = new Set<(deadlineAt: number, disconnecting: boolean) => Promise<void>>();

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
    signal?.throwIfAborted();
    const subscription = new Subscription(randomUUID(), pattern, options, handler, this.#host(driver));
    let lower: DriverSubscription;
    try {
      lower = await driver.subscribe({
        id: subscription.id,
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
      throw wrapError(error, "ERR_DRIVER", `Subscribing to ${pattern} failed`, { driver: driver.name, topic: pattern });
    }
    const close = this.#closer(subscription, lower);
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
    signal?.addEventListener(
      "abort",
      () => {
        unsubscribe().catch((error: unknown) =>
          this.#connection.report(wrapError(error, "ERR_DRIVER", `Unsubscribing from ${pattern} failed`)),
        );
      },
      { once: true },
    );
    return { subscription, subscriber };
  }

  /** Drains all of them at once. */
  async closeAll(deadlineAt: number): Promise<void> {
    const results = await Promise.allSettled([...this.#closers].map((close) => close(deadlineAt, true)));
    for (const result of results) {
      if (result.status === "rejected")
        this.#connection.report(wrapError(result.reason, "ERR_DRIVER", "Closing a subscription failed"));
    }
  }

  #closer(
    subscription: Subscription,
    lower: DriverSubscription,
  ): (deadlineAt: number, disconnecting: boolean) => Promise<void> {
    let closing: Promise<void> | undefined;
    const close = (deadlineAt: number, disconnecting: boolean) => {
      closing ??= subscription
        .drain(lower, Math.min(deadlineAt, this.#clock.now() + subscription.options.drainTimeoutMs), disconnecting)
        .finally(() => this.#closers.delete(close));
      return closing;
    };
    this.#closers.add(close);
    return close;
  }

  #host(driver: Driver): SubscriptionHost {
    const connection = this.#connection;
    return {
      name: driver.name,
      clock: this.#clock,
      movesDeadLetters: driver.capabilities.deadLetterMove === "move",
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
