import type { Msg } from "@nats-io/transport-node";
import type { DriverContext, DriverDelivery, DriverSubscription, Outcome, SubscribeRequest } from "../../driver.ts";
import { BrokerError, describeError, wrapError } from "../../errors.ts";
import { type Timer, wallTime } from "../../internal/clock.ts";
import { Deque } from "../../internal/deque.ts";
import { delay } from "../../internal/wait.ts";
import type { Acks } from "./acks.ts";
import { Attempts, type Recalled } from "./attempts.ts";
import type { NatsClient } from "./client.ts";
import { flushed } from "./flushed.ts";
import { type Held, InHand } from "./in-hand.ts";
import { type ConsumerInfo, type JetStream, NANOS_PER_MS } from "./jetstream.ts";
import type { Link } from "./link.ts";
import { deliveryInfo } from "./native-delivery.ts";
import { decodeReceived } from "./native-header.ts";
import { Pulls } from "./pulls.ts";
import { EVERYBODY } from "./subjects.ts";
import type { Topology, Wanted } from "./topology.ts";

/** How long the pulls of a subscription that stops may still bring something, in milliseconds. */
const STOP_WITHIN_MS = 300;
const STOP_QUIET_MS = 40;
/** When a lost consumer is tried again, in milliseconds: a server is not done at once with the files of a removed stream. */
const RESTORE_AGAIN_MS = 1_000;

/** What a {@link Member} works with. */
export interface MemberHost {
  readonly client: NatsClient;
  readonly context: DriverContext;
  readonly link: Link;
  readonly jetstream: JetStream;
  readonly acks: Acks;
  readonly topology: Topology;
}

interface Arrival {
  readonly message: Msg;
  readonly held: Held;
  /** Which attempt it is; `undefined` while that is being looked up, `"failed"` when nobody could tell. */
  recalled: Recalled | "failed" | undefined;
}

const FIRST: Recalled = { attempt: 1, firstFailureAt: undefined, sequence: undefined };

/** A subscription: pulls from its consumer as many messages as it may hold, and answers for each. */
export class Member implements DriverSubscription {
  readonly wanted: Wanted;
  readonly #host: MemberHost;
  readonly #request: SubscribeRequest;
  /** Whether the consumer is this subscription's alone. */
  readonly #own: boolean;
  readonly #attempts: Attempts;
  readonly #pulls: Pulls;
  /** Where it asks for messages. */
  readonly #pullSubject: string;
  readonly #inHand: InHand;
  /** In order; what must be looked up holds back what came after it. */
  readonly #arrivals = new Deque<Arrival>();
  /** Lookups and what is given back by itself: `stop` waits for it. */
  readonly #pending = new Set<Promise<unknown>>();
  readonly #ended = new AbortController();
  #redeliverAfterMs = 0;
  /** When it began to pull on this connection, in milliseconds since the epoch. */
  #begunAt = 0;
  #timer: Timer | undefined;
  /** Whether it pulls. */
  #open = true;
  /** Whether nothing is handed on any more. */
  #over = false;
  #stopped: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  #restoring: Promise<void> | undefined;
  /** Why the server lets nobody ask for messages. */
  #refusal: BrokerError | undefined;
  /** How often in turn pulls were refused at once. */
  #refusals = 0;

  constructor(host: MemberHost, request: SubscribeRequest, wanted: Wanted, own: boolean) {
    const { client, context, link, jetstream, acks, topology } = host;
    const { clock } = context;
    this.#host = host;
    this.#request = request;
    this.wanted = wanted;
    this.#own = own;
    this.#attempts = new Attempts(jetstream, topology.names, wanted.config.durable_name, clock);
    this.#pullSubject = jetstream.subject(`CONSUMER.MSG.NEXT.${wanted.stream}.${wanted.config.durable_name}`);
    this.#pulls = new Pulls(client, link.connection, clock, this.#pullSubject, {
      message: (message, late) => this.#arrived(message, late),
      ended: () => this.#fill(),
      lost: (reason) => this.#lost(reason),
    });
    const { requests } = jetstream;
    this.#inHand = new InHand({ requests, acks, attempts: this.#attempts, link, clock, onRoom: () => this.#fill() });
  }

  /** Makes the consumer if need be, and begins to pull. */
  async start(): Promise<void> {
    this.#begin(await this.#host.topology.ensureConsumer(this.wanted));
    this.#watch();
    // Who may not ask for messages learns it here, and not by waiting for ever.
    await flushed(this.#host.link.connection).catch(() => {
      // The connection broke, and is being restored with this on it.
    });
    if (this.#refusal === undefined) return;
    await this.close();
    throw this.#refusal;
  }

  /** The server refuses a subject to the user. */
  refused(subject: string, error: BrokerError): void {
    if (subject === this.#pullSubject) this.#refusal = error;
  }

  /** The connection is back. A consumer that is of another kind now concerns this subscription alone. */
  async reconnected(): Promise<void> {
    try {
      await this.#restore();
    } catch (error) {
      if (!(error instanceof BrokerError) || error.code !== "ERR_INVALID_OPTION") throw error;
      this.#lost();
    }
  }

  /** The server may know nothing of the consumer. */
  async #restore(): Promise<void> {
    if (!this.#open) return;
    const info = await this.#host.topology.ensureConsumer(this.wanted);
    // The server may have waited long for a word of these.
    this.#inHand.keep(0);
    // What was on its way when the connection broke comes again, and was no attempt.
    await this.#attempts.excuse(wallTime(this.#host.context.clock, this.#begunAt), this.#redeliverAfterMs);
    this.#begin(info);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #begin(info: ConsumerInfo): void {
    if (!this.#open) return;
    this.#redeliverAfterMs = info.config.ack_wait / NANOS_PER_MS;
    this.#pulls.reset(this.#redeliverAfterMs);
    this.#begunAt = this.#host.context.clock.now();
    this.#fill();
  }

  /** Asks for what there is room for, in few pulls: one more when at least as much is free as is under way. */
  #fill(): void {
    const { due } = this.#pulls;
    const free = this.#request.prefetch - this.#inHand.unsettled - due;
    if (this.#open && this.#host.link.connected && free > 0 && due <= free) this.#pulls.pull(free);
  }

  #arrived(message: Msg, late: boolean): void {
    const info = deliveryInfo(message);
    const held = info === undefined ? undefined : this.#inHand.take(info, message.reply ?? "");
    if (held === undefined) return this.#fill();
    const { to } = this.#host.topology.names.parse(message.subject) ?? { to: EVERYBODY };
    // Redriven to another queue of the topic.
    if (to !== EVERYBODY && to !== held.consumer) return this.#report(this.#inHand.ack(held));
    const arrival: Arrival = { message, held, recalled: held.delivered === 1 ? FIRST : undefined };
    if (late) return this.#giveBack(arrival);
    this.#arrivals.push(arrival);
    if (arrival.recalled === undefined) this.#track(this.#recall(arrival));
    else this.#hand();
  }

  async #recall(arrival: Arrival): Promise<void> {
    try {
      arrival.recalled = await this.#recalled(arrival.held);
    } catch (error) {
      arrival.recalled = "failed";
      this.#tell(error, `Looking up the attempts of a message to ${this.#request.pattern} failed`);
    }
    this.#hand();
  }

  #recalled(held: Held): Promise<Recalled> {
    return this.#attempts.recall(held, this.#redeliverAfterMs);
  }

  /** Hands on what has arrived, in order. */
  #hand(): void {
    for (let next = this.#arrivals.peek(); next?.recalled !== undefined; next = this.#arrivals.peek()) {
      this.#arrivals.shift();
      if (next.recalled === "failed") this.#inHand.drop(next.held);
      else if (!this.#over) this.#request.deliver(this.#delivery(next.message, next.held, next.recalled));
      else this.#giveBack(next);
    }
  }

  #delivery(message: Msg, held: Held, recalled: Recalled): DriverDelivery {
    const { topic = "" } = this.#host.topology.names.parse(message.subject) ?? {};
    const body = message.data;
    const addressBytes = message.subject.length + (message.reply ?? "").length;
    const { id, key, header, broken } = decodeReceived(message, body, addressBytes);
    let remembered = recalled.sequence;
    const { attempt, firstFailureAt } = recalled;
    const note = (sequence: number): void => {
      remembered = sequence;
    };
    return {
      topic,
      id: id ?? `${held.stream}-${held.sequence}`,
      key,
      header,
      body,
      attempt,
      firstFailureAt,
      ...(broken === undefined ? {} : { broken }),
      settle: (outcome) => this.#settle(held, outcome, recalled, remembered),
      extend: (_ms, next) => {
        if (next <= attempt) return;
        const now = this.#host.context.clock.now();
        const what = { delivered: held.delivered, attempt: next, firstFailureAt: firstFailureAt ?? now, at: now };
        this.#report(this.#attempts.remember(held.sequence, what).then(note));
      },
    };
  }

  #settle(held: Held, outcome: Outcome, recalled: Recalled, remembered: number | undefined): void | Promise<void> {
    const back = outcome.kind === "retry" || outcome.kind === "release";
    if (back && this.#ending) return this.#inHand.drop(held);
    if (outcome.kind === "retry") return this.#inHand.again(held, outcome, outcome.delayMs);
    if (outcome.kind === "release") return this.#inHand.again(held, recalled, 0);
    const acked = this.#inHand.ack(held);
    if (remembered === undefined) return acked;
    return acked.then(() => this.#report(this.#attempts.forget(remembered)));
  }

  #giveBack({ held, recalled }: Arrival): void {
    if (recalled === "failed" || this.#ending) return this.#inHand.drop(held);
    const known = recalled ?? this.#recalled(held);
    this.#track(Promise.resolve(known).then((next) => this.#inHand.again(held, next, 0)));
  }

  /** The consumer is gone or silent: it is made anew, as a live member wants it. */
  #lost(reason?: string): void {
    if (!this.#open || !this.#host.link.connected) return;
    this.#pulls.due = 0;
    this.#restoring ??= this.#restoreAlone(reason).finally(() => {
      this.#restoring = undefined;
    });
  }

  async #restoreAlone(reason: string | undefined): Promise<void> {
    const { link, topology, context } = this.#host;
    const { clock } = context;
    // One that is lost as soon as it was restored would be lost again: the server refuses its pulls.
    if (clock.now() - this.#begunAt < RESTORE_AGAIN_MS && this.#pulls.lastAt < this.#begunAt) {
      // Told once in a row; the first may be a consumer whose leader has just changed.
      if (this.#refusals === 1)
        this.#tell(refusedPulls(reason), `Asking the consumer of ${this.#request.pattern} failed`);
      this.#refusals += 1;
      await delay(clock, RESTORE_AGAIN_MS, this.#ended.signal).catch(() => {
        // Ended: the loop sees it too.
      });
    } else this.#refusals = 0;
    let told = "";
    for (let streams = false; this.#open && link.connected; streams = true) {
      try {
        if (streams) await topology.ensureStreams();
        return await this.#restore();
      } catch (error) {
        // Told once, however often it is tried.
        if (describeError(error) !== told)
          this.#tell(error, `Restoring the consumer of ${this.#request.pattern} failed`);
        told = describeError(error);
      }
      await delay(clock, RESTORE_AGAIN_MS, this.#ended.signal).catch(() => {
        // Ended: the loop sees it too.
      });
    }
  }

  /** Whether the consumer ends with this subscription, so that nothing need be given back. */
  get #ending(): boolean {
    return this.#own && !this.#open;
  }

  /** Tells the server now and then that what is in hand is in good hands. */
  #watch(): void {
    const everyMs = Math.max(250, this.#redeliverAfterMs / 4);
    this.#timer = this.#host.context.clock.after(everyMs, () => {
      this.#watch();
      if (!this.#host.link.connected) return;
      this.#inHand.keep(everyMs / 2);
      if (this.#open) this.#pulls.check();
    });
  }

  async #stop(): Promise<void> {
    const { link } = this.#host;
    this.#open = false;
    this.#ended.abort();
    if (!this.#own) await this.#awaitPulls();
    const swept = !this.#own && this.#pulls.due > 0;
    // What the server sends in the moment in which the pulls end reaches nobody, and was no attempt.
    if (swept && link.connected) await this.#attempts.excuseLeaving(this.#redeliverAfterMs);
    await this.#pulls.end(link.connected);
    if (swept && link.connected) await this.#sweepPulls();
    while (link.connected && this.#pending.size > 0) await Promise.allSettled(this.#pending);
    this.#over = true;
  }

  /**
   * Waits until the pulls are used up, or nothing comes any more. What comes is still handed on, to be given back in its
   * order with what came before.
   */
  async #awaitPulls(): Promise<void> {
    const { clock } = this.#host.context;
    const until = clock.now() + STOP_WITHIN_MS;
    while (this.#host.link.connected && this.#pulls.due > 0 && clock.now() < until) {
      const quietMs = clock.now() - this.#pulls.lastAt;
      if (quietMs >= STOP_QUIET_MS) return;
      await delay(clock, STOP_QUIET_MS - quietMs);
    }
  }

  /**
   * Has the server see that nobody waits for the pulls any more, which it does when it is asked about the consumer. Before
   * 2.10 it would else take the first message given back for one of them, find nobody, and forget it for a while.
   */
  async #sweepPulls(): Promise<void> {
    const { stream, config } = this.wanted;
    await this.#host.jetstream.find(`CONSUMER.INFO.${stream}.${config.durable_name}`);
  }

  async #close(): Promise<void> {
    await this.stop();
    this.#timer?.cancel();
    if (!this.#own || !this.#host.link.connected) return;
    await this.#host.topology.removeConsumer(this.wanted.stream, this.wanted.config.durable_name);
  }

  #track(work: Promise<unknown>): void {
    this.#pending.add(work);
    this.#report(work.finally(() => this.#pending.delete(work)));
  }

  #report(done: Promise<unknown>): void {
    done.catch((error: unknown) => this.#tell(error, `Answering for a message to ${this.#request.pattern} failed`));
  }

  #tell(error: unknown, context: string): void {
    this.#host.context.onError(wrapError(error, "ERR_DRIVER", context, { driver: "nats" }));
  }
}

function refusedPulls(reason = "it does not answer"): BrokerError {
  return new BrokerError("ERR_DRIVER", `The NATS server lets nobody ask the consumer for messages: ${reason}.`, {
    driver: "nats",
    scope: "subscription",
    retryable: true,
  });
}
