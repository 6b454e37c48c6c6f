import type { ConsumeMessage } from "amqplib";
import type { DriverContext, DriverDelivery, Outcome, Retry, SubscribeRequest } from "../../driver.ts";
import { BrokerError } from "../../errors.ts";
import type { Copies } from "./copies.ts";
import { Door } from "./door.ts";
import type { Excuses } from "./excuses.ts";
import { type Feed, HeldMessage } from "./held-message.ts";
import { decode, type Received } from "./native-message.ts";
import type { Routed } from "./publish-window.ts";
import type { Source } from "./source.ts";

/** How many failures are remembered for when their messages come again. */
const MAX_FAILED = 1_000;

/** What an {@link Intake} needs from its driver. */
export interface IntakeParts {
  readonly source: Source;
  readonly context: DriverContext;
  readonly copies: Copies;
  readonly excuses: Excuses;
}

/** The messages of one subscription, from their arrival on a channel until they are settled, over any number of channels. */
export class Intake {
  readonly #request: SubscribeRequest;
  readonly #parts: IntakeParts;
  readonly #stopping: AbortSignal;
  readonly #onError: (error: unknown, what: string) => void;
  readonly #door: Door;
  /** What is held unsettled, by copy. */
  readonly #open = new Map<string, HeldMessage>();
  /** What failed and could not be told to the server, by copy. */
  readonly #failed = new Map<string, Retry>();
  #releases: HeldMessage[] = [];
  #releasing: Promise<void> | undefined;
  #closed = false;

  /** @param stopping aborted when the subscription begins to end. */
  constructor(
    request: SubscribeRequest,
    parts: IntakeParts,
    stopping: AbortSignal,
    onError: (error: unknown, what: string) => void,
  ) {
    this.#request = request;
    this.#parts = parts;
    this.#stopping = stopping;
    this.#onError = onError;
    this.#door = new Door(parts.source, parts.excuses, stopping, (error) =>
      onError(error, "Reading why messages came back failed, so that it costs them an attempt"),
    );
  }

  /** Delivers nothing any more: what comes now goes back. */
  close(): void {
    this.#closed = true;
  }

  /** Takes a message from a channel. One that is still held here has come again: its channel was lost. */
  take(feed: Feed, message: ConsumeMessage): void {
    const received = decode(message);
    const known = this.#open.get(received.copy);
    if (known !== undefined && !known.alive) return known.move(feed, message);
    const held = new HeldMessage(this.#carried(received), feed, message);
    this.#open.set(received.copy, held);
    this.#door.enter(held.received, (deaths) => this.#enter(held, deaths));
  }

  /** What failed here while the connection was down has used the attempt, though the queue does not know. */
  #carried(received: Received): Received {
    const failed = this.#failed.get(received.copy);
    if (failed === undefined) return received;
    this.#failed.delete(received.copy);
    return { ...received, attempt: failed.attempt, firstFailureAt: failed.firstFailureAt };
  }

  #enter(held: HeldMessage, deaths: number): void {
    const { received } = held;
    if (!held.alive) this.#forget(held);
    // What waited for an excuse when the subscription closed has not been judged.
    else if (this.#closed || (deaths > 0 && this.#stopping.aborted)) void this.#release(held);
    else if (received.restMs > 0) void this.#waitOn(held);
    else this.#request.deliver(this.#delivery(held, received.attempt + deaths));
  }

  #delivery(held: HeldMessage, attempt: number): DriverDelivery {
    const { topic, id, key, header, body, firstFailureAt, broken } = held.received;
    const settle = (outcome: Outcome) => this.#settle(held, outcome);
    const delivery = { topic, id, key, header, body, attempt, firstFailureAt, settle };
    return broken === undefined ? delivery : { ...delivery, broken };
  }

  #settle(held: HeldMessage, outcome: Outcome): void | Promise<void> {
    if (outcome.kind === "release") return this.#release(held);
    if (!held.alive) {
      if (outcome.kind === "retry") this.#remember(held.received.copy, outcome);
      return Promise.reject(this.#stale(held));
    }
    if (outcome.kind === "retry") return this.#retry(held, outcome);
    this.#ack(held);
  }

  async #retry(held: HeldMessage, outcome: Retry): Promise<void> {
    const { attempt, firstFailureAt, delayMs } = outcome;
    const { received } = held;
    let state: Routed;
    try {
      state = await this.#parts.copies.later(
        this.#parts.source.queue,
        { ...received, attempt, firstFailureAt },
        delayMs,
      );
    } catch (error) {
      this.#remember(received.copy, outcome);
      await this.#returnExcused(held);
      throw error;
    }
    const { topic, id } = received;
    if (state === "unrouted")
      this.#parts.context.onGiveUp({ topic, id, queue: this.#request.queue, reason: "its queue was removed" });
    if (!held.alive) throw this.#stale(held);
    this.#ack(held);
  }

  /** The ladder's last step was shorter than the delay: the message climbs again. */
  async #waitOn(held: HeldMessage): Promise<void> {
    try {
      await this.#parts.copies.later(this.#parts.source.queue, held.received, held.received.restMs);
      if (held.alive) this.#ack(held);
      else this.#forget(held);
    } catch (error) {
      if (held.alive) this.#onError(error, `Delaying message ${held.received.id} failed`);
      await this.#returnExcused(held);
    }
  }

  /** Gives back what could not be put off. The server counts that as a return, which must not pass for a death. */
  async #returnExcused(held: HeldMessage): Promise<void> {
    const { source, excuses } = this.#parts;
    try {
      if (held.alive && source.countsDeaths) await excuses.write(source.queue);
    } catch (error) {
      this.#onError(error, "Writing an excuse failed, so that giving a message back may cost it an attempt");
    }
    await this.#release(held);
  }

  #ack(held: HeldMessage): void {
    this.#forget(held);
    held.ack();
  }

  /** Gives back what is released in one moment, all together, in the order in which it came. */
  #release(held: HeldMessage): Promise<void> {
    this.#forget(held);
    this.#releases.push(held);
    this.#releasing ??= Promise.resolve().then(() => {
      this.#releasing = undefined;
      for (const one of this.#releases.splice(0).sort((a, b) => a.tag - b.tag)) one.giveBack();
    });
    return this.#releasing;
  }

  #forget(held: HeldMessage): void {
    if (this.#open.get(held.received.copy) === held) this.#open.delete(held.received.copy);
  }

  #remember(copy: string, retry: Retry): void {
    for (const oldest of this.#failed.keys()) {
      if (this.#failed.size < MAX_FAILED) break;
      this.#failed.delete(oldest);
    }
    this.#failed.set(copy, retry);
  }

  #stale(held: HeldMessage): BrokerError {
    this.#forget(held);
    const { topic, id } = held.received;
    const message = `The connection broke while message ${id} was being handled: it will come again.`;
    return new BrokerError("ERR_CONNECTION_LOST", message, { driver: "rabbitmq", topic });
  }
}
