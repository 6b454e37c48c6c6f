import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import type { Clock } from "../../internal/clock.ts";
import type { NatsClient } from "./client.ts";
import { NANOS_PER_MS } from "./jetstream.ts";
import { readableHeaders } from "./native-header.ts";

/** How long a pull waits at the server at most, in milliseconds. */
const PULL_EXPIRES_MS = 15_000;
/**
 * What part of the time of redelivery it may wait. The pulls of a process that died are to be over before its messages come
 * again: servers before 2.10 would take such a message for one of them, find nobody, and go back by one message, which then
 * looks as if it had never been delivered.
 */
const PULL_EXPIRES_PART = 1 / 2;
/** How much later than that the server may say so. */
const PULL_GRACE_MS = 5_000;

/** What {@link Pulls} tells its member. */
export interface PullHooks {
  /** A message. `late`: it was asked for before a reset, and nobody waits for it any more. */
  message(message: Msg, late: boolean): void;
  /** A pull ended without having got all it asked for. */
  ended(): void;
  /** The consumer is gone, or does not answer, or refuses to be asked, with `reason` where the server gives one. */
  lost(reason?: string): void;
}

/**
 * Asks a consumer for messages, and knows how many are still to come: `due` never exceeds what was asked for. Every reset
 * begins with an inbox of its own, so that pulls that the server still holds bring nothing unasked for.
 */
export class Pulls {
  /** How many messages the server may still send. */
  due = 0;
  /** When the last message came, in milliseconds since the epoch. */
  lastAt = 0;
  readonly #client: NatsClient;
  readonly #connection: NatsConnection;
  readonly #clock: Clock;
  readonly #subject: string;
  readonly #hooks: PullHooks;
  /** When each pull that may still wait at the server is over. */
  readonly #open = new Map<string, number>();
  #inbox = "";
  #expiresMs = PULL_EXPIRES_MS;
  #subscription: Subscription | undefined;
  #counter = 0;

  constructor(client: NatsClient, connection: NatsConnection, clock: Clock, subject: string, hooks: PullHooks) {
    this.#client = client;
    this.#connection = connection;
    this.#clock = clock;
    this.#subject = subject;
    this.#hooks = hooks;
  }

  /** Begins anew: what is still under way to the old inbox comes as late. */
  reset(redeliverAfterMs: number): void {
    this.#expiresMs = Math.min(PULL_EXPIRES_MS, redeliverAfterMs * PULL_EXPIRES_PART);
    const old = this.#subscription;
    if (old !== undefined && !old.isClosed()) void old.drain();
    this.due = 0;
    this.#open.clear();
    this.#inbox = this.#client.createInbox();
    const inbox = this.#inbox;
    this.#subscription = this.#connection.subscribe(`${inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#take(message, inbox);
      },
    });
  }

  /** Asks for that many messages more. */
  pull(batch: number): void {
    const token = (this.#counter++).toString(36);
    this.#open.set(token, this.#clock.now() + this.#expiresMs + PULL_GRACE_MS);
    this.due += batch;
    const body = JSON.stringify({ batch, expires: Math.round(this.#expiresMs * NANOS_PER_MS) });
    this.#connection.publish(this.#subject, body, { reply: `${this.#inbox}.${token}` });
  }

  /** Tells of the consumer as lost when the server has forgotten the pulls. To be called now and then. */
  check(): void {
    const now = this.#clock.now();
    for (const [token, overAt] of this.#open) if (overAt <= now) this.#open.delete(token);
    if (this.due > 0 && this.#open.size === 0) this.#hooks.lost();
  }

  /** Gives up the inbox; resolves when everything that was sent to it has come, if the server can be reached. */
  async end(connected: boolean): Promise<void> {
    const subscription = this.#subscription;
    this.#subscription = undefined;
    if (subscription !== undefined && !subscription.isClosed() && !this.#connection.isClosed()) {
      if (connected) await subscription.drain();
      else subscription.unsubscribe();
    }
    this.due = 0;
    this.#open.clear();
  }

  #take(message: Msg, inbox: string): void {
    const late = inbox !== this.#inbox;
    if (!message.subject.startsWith(`${inbox}.`)) {
      this.lastAt = this.#clock.now();
      if (!late) this.due -= 1;
      if (this.due === 0) this.#open.clear();
      this.#hooks.message(message, late);
      return;
    }
    const headers = readableHeaders(message);
    // Of somebody who listens in, if it has no status.
    if (late || headers === undefined || headers.code === 0) return;
    const token = message.subject.slice(inbox.length + 1);
    const left = headers.get("Nats-Pending-Messages");
    this.#open.delete(token);
    if (headers.code === 100) return;
    if (left === "" || headers.code !== 408) return this.#hooks.lost(headers.description || undefined);
    this.due = Math.max(0, this.due - Number(left));
    this.#hooks.ended();
  }
}
