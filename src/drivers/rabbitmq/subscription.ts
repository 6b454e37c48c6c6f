import type { ConsumeMessage } from "amqplib";
import type { DriverSubscription, SubscribeRequest } from "../../driver.ts";
import { wrapError } from "../../errors.ts";
import { delay } from "../../internal/wait.ts";
import { classifyOperation } from "./classify.ts";
import type { Feed } from "./held-message.ts";
import { Intake, type IntakeParts } from "./intake.ts";
import { closeChannel, type Session } from "./session.ts";
import type { Topology } from "./topology.ts";

/** How many unsettled messages a channel can be told to hold at most; 0 is no limit. */
const MAX_PREFETCH = 65_535;

/** How long the first try to restore a consumer that the server ended is put off, in milliseconds; doubled each time. */
const RESTORE_MS = 50;
const MAX_RESTORE_MS = 2_000;

/** What a {@link RabbitmqSubscription} needs from its driver. */
export interface SubscriptionParts extends IntakeParts {
  /** The connection, while it is up. */
  session(): Session | undefined;
  topologyOf(session: Session): Topology;
  /** Does something that may be done twice on the connection, and again on the next one where it breaks. */
  persist<T>(work: () => Promise<T>): Promise<T>;
}

/** A subscription on RabbitMQ: a consumer on a channel of its own, restored whenever it is lost. */
export class RabbitmqSubscription implements DriverSubscription {
  readonly request: SubscribeRequest;
  readonly #parts: SubscriptionParts;
  readonly #stopping = new AbortController();
  readonly #intake: Intake;
  #feed: Feed | undefined;
  #stop: Promise<void> | undefined;
  #close: Promise<void> | undefined;
  /** The connection on which it is being restored. */
  #restoringOn: Session | undefined;
  #cuts = 0;
  /** Whether it was reported that it gets nothing, since it last got something. */
  #deaf = false;

  constructor(request: SubscribeRequest, parts: SubscriptionParts) {
    this.request = request;
    this.#parts = parts;
    this.#intake = new Intake(request, parts, this.#stopping.signal, (error, what) => this.#report(error, what));
  }

  /** The native name of the queue. */
  get queue(): string {
    return this.#parts.source.queue;
  }

  /** How many messages it holds unsettled. */
  get unsettled(): number {
    return this.#feed?.held.size ?? 0;
  }

  /** Begins to consume on a connection. */
  async attach(session: Session): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const { source } = this.#parts;
    await source.declare(this.#parts.topologyOf(session));
    if (this.#stopping.signal.aborted) return;
    const channel = await session.lastingChannel();
    const feed: Feed = { channel, session, held: new Set(), tag: "", alive: true };
    channel.once("close", () => this.#lost(feed));
    const prefetch = this.request.prefetch > MAX_PREFETCH ? 0 : this.request.prefetch;
    try {
      await channel.prefetch(prefetch);
      this.#feed = feed;
      ({ consumerTag: feed.tag } = await channel.consume(source.queue, (message) => this.#take(feed, message)));
      if (!feed.alive) throw new Error("the channel closed as soon as it was consumed from");
      this.#deaf = false;
    } catch (error) {
      feed.alive = false;
      await closeChannel(channel);
      throw classifyOperation(error, `the queue ${JSON.stringify(source.queue)}`);
    }
    if (this.#stopping.signal.aborted) await this.#cancel(feed);
    // Whoever closed it meanwhile did not know of this channel.
    if (this.#close !== undefined) await this.#closeFeed(feed);
  }

  /** The connection broke: says so of everything that it held. */
  async excuse(): Promise<void> {
    const cuts = this.#cuts;
    const { source, excuses } = this.#parts;
    if (cuts > 0 && source.countsDeaths) await excuses.write(source.queue);
    this.#cuts -= cuts;
  }

  stop(): Promise<void> {
    this.#stop ??= this.#stopNow();
    return this.#stop;
  }

  close(): Promise<void> {
    this.#close ??= this.#closeNow();
    return this.#close;
  }

  async #stopNow(): Promise<void> {
    this.#stopping.abort();
    const feed = this.#feed;
    if (feed?.alive) {
      await this.#cancel(feed);
      // What the server had sent ahead of the cancellation comes back to the queue without having been seen here.
      this.#cuts += 1;
    }
    this.#intake.close();
    try {
      // Once it is closed nobody writes it any more: a connection that breaks meanwhile is waited for.
      if (this.#cuts > 0 && this.#parts.source.countsDeaths) await this.#parts.persist(() => this.excuse());
    } catch (error) {
      this.#report(error, "Writing an excuse failed, so that giving messages back may cost them an attempt");
    }
  }

  async #cancel(feed: Feed): Promise<void> {
    try {
      await feed.channel.cancel(feed.tag);
    } catch (error) {
      // A consumer whose channel has ended is cancelled.
      if (feed.alive) throw error;
    }
  }

  async #closeNow(): Promise<void> {
    await this.stop();
    const feed = this.#feed;
    this.#feed = undefined;
    if (feed !== undefined) await this.#closeFeed(feed);
    const { source } = this.#parts;
    const session = this.#parts.session();
    // Where the connection is down, the queue ends by its expiry.
    if (!source.own || session === undefined) return;
    try {
      await session.use(`the queue ${source.queue}`, (channel) => channel.deleteQueue(source.queue));
    } catch (error) {
      if (session.alive) throw error;
    }
  }

  async #closeFeed(feed: Feed): Promise<void> {
    feed.alive = false;
    await closeChannel(feed.channel);
  }

  #lost(feed: Feed): void {
    if (!feed.alive) return;
    feed.alive = false;
    this.#cuts += 1;
    // One that has not begun to consume is its caller's to try again.
    if (this.#feed !== feed || feed.tag === "") return;
    // A connection that ends closes its channels first: then restoring is not this subscription's to begin.
    queueMicrotask(() => {
      if (feed.session.alive && !this.#stopping.signal.aborted) void this.#restore(feed.session);
    });
  }

  /** The server ended the consumer or its channel, and the connection holds. */
  async #restore(session: Session): Promise<void> {
    if (this.#restoringOn === session) return;
    this.#restoringOn = session;
    const { clock } = this.#parts.context;
    const { signal } = this.#stopping;
    try {
      for (let waitMs = RESTORE_MS; session.alive && !signal.aborted; waitMs = Math.min(MAX_RESTORE_MS, waitMs * 2)) {
        try {
          await this.excuse();
          await this.attach(session);
          return;
        } catch (error) {
          if (!session.alive || !this.#survives(error)) return;
        }
        await delay(clock, waitMs, signal);
      }
    } catch (error) {
      if (!signal.aborted)
        this.request.onEnd(wrapError(error, "ERR_DRIVER", `The subscription to ${this.request.pattern} was lost`));
    } finally {
      if (this.#restoringOn === session) this.#restoringOn = undefined;
    }
  }

  /** Reports why attaching failed, once; whether trying again may help. */
  #survives(error: unknown): boolean {
    const what = `Restoring the subscription to ${this.request.pattern} failed`;
    const wrapped = wrapError(error, "ERR_DRIVER", what);
    if (wrapped.code === "ERR_INVALID_OPTION" || wrapped.code === "ERR_AUTHENTICATION") {
      this.request.onEnd(wrapped);
      return false;
    }
    if (!this.#deaf) this.#report(error, what);
    this.#deaf = true;
    return true;
  }

  /** As {@link attach}, after a reconnect: what concerns this subscription alone ends it and nothing else. */
  async reattach(session: Session): Promise<void> {
    try {
      await this.excuse();
      await this.attach(session);
    } catch (error) {
      if (!session.alive) throw error;
      if (this.#survives(error)) void this.#restore(session);
    }
  }

  #take(feed: Feed, message: ConsumeMessage | null): void {
    if (!feed.alive) return;
    if (message === null) {
      // The queue is gone. Its members begin anew, on a channel of their own: what the old one held is gone too.
      this.#lost(feed);
      void closeChannel(feed.channel);
      return;
    }
    this.#intake.take(feed, message);
  }

  #report(error: unknown, what: string): void {
    this.#parts.context.onError(
      wrapError(error, "ERR_DRIVER", what, { driver: "rabbitmq", topic: this.request.pattern }),
    );
  }
}
