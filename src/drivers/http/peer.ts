import { type BrokerError, wrapError } from "../../errors.ts";
import { type Timer, wallTime } from "../../internal/clock.ts";
import { type Deferred, deferred } from "../../internal/deferred.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import { PeerCalls } from "./peer-calls.ts";
import { Receiving } from "./receiving.ts";
import type { ReceivingSubscription, ReceivingSubscriptions } from "./receiving-subscriptions.ts";
import { Sending } from "./sending.ts";
import type { ByteReader } from "./wire/byte-reader.ts";
import { type Dial, DuplicateError, dial, isCut, type OwnSide } from "./wire/dial.ts";
import { FRAME, GOODBYE, WireError } from "./wire/frames.ts";
import { writeAnnouncement } from "./wire/subscribe-frame.ts";
import type { ConnectionOwner, WireConnection } from "./wire/wire-connection.ts";

/**
 * Pause before a peer is dialled again, doubled each time, in milliseconds; longer for one that does not answer: where a whole
 * host is busy, many that dial again and again would keep it so.
 */
const REDIAL_MS = { first: 20, most: 2_000, mostUnanswered: 30_000 };

/** Pause before a peer is dialled again that is not trusted, or does not trust this process, in milliseconds. */
const REDIAL_UNTRUSTED_MS = 10_000;

/** How long the side that did not dial leaves it to the other to come back, in milliseconds. */
const REDIAL_BY_OTHER_MS = 200;

/** A process that has something of this one's and says nothing for this long is asked for a word, in milliseconds. */
const PING_MS = 2_000;

/** One that says nothing for this long then hangs, is very busy, or is out of reach, in milliseconds. */
const SILENT_MS = 5_000;

/** A peer that cuts so many connections in a row before they stand is told of. */
const CUTS_BEFORE_REPORT = 5;

/** An idle connection is kept awake so often within the time that the other side bears to hear nothing. */
const PINGS_PER_IDLE = 3;

/** What a {@link Peer} works with. */
export interface PeerHost {
  readonly own: OwnSide;
  readonly outbox: Outbox;
  readonly subscriptions: ReceivingSubscriptions;
  /** How many peers there are a connection to. */
  readonly connected: number;
  /** Decides whether a connection that this side has opened is the one between the two. */
  adopt(connection: WireConnection): void;
  /** Resolves when the secret that peers prove is the newest. */
  renewSecret(): Promise<void>;
  /** Answers a call of the peer. */
  answer(name: string, argument: unknown): Promise<unknown>;
  onError(error: BrokerError): void;
  /** The peer is gone. `forGood`: it said so itself. */
  onGone(peer: Peer, forGood: boolean): void;
}

/**
 * Another process, over all connections to it: one at a time, made anew when it breaks. What each side has of the other's
 * messages outlives connections, in `sending` and `receiving`.
 */
export class Peer implements ConnectionOwner {
  readonly id: string;
  readonly address: string;
  readonly sending: Sending;
  readonly receiving: Receiving;
  /** Whether the registry names it. One that it does not name is given up with its connection. */
  listed = false;
  readonly #host: PeerHost;
  #connection: WireConnection | undefined;
  #calls: PeerCalls | undefined;
  #dial: Dial | undefined;
  /** The secret that it was dialled with last. */
  #tried: Uint8Array | undefined;
  #redial: Timer | undefined;
  #failures = 0;
  /** Whether it was told that no connection can be made, since there was one. */
  #told = false;
  /** Resolves with whether a connection is there over which the peer has told everything. */
  #ready: Deferred<boolean> = deferred();
  #isReady = false;
  /** When it was heard last, in milliseconds since the epoch. */
  #heardAt: number;
  #gone = false;
  #hangs = false;
  #pinging = false;

  constructor(id: string, address: string, host: PeerHost) {
    this.id = id;
    this.address = address;
    this.#host = host;
    this.#heardAt = host.own.clock.now();
    this.sending = new Sending({
      outbox: host.outbox,
      now: () => wallTime(host.own.clock),
      onError: (error) => host.onError(error),
    });
    this.receiving = new Receiving(host.subscriptions, host.own.terms.maxMessageBytes);
  }

  get connection(): WireConnection | undefined {
    return this.#connection;
  }

  /** Whether it was asked for a word and gave none: nobody waits for it until it is back. */
  get hangs(): boolean {
    return this.#hangs;
  }

  /** Whether this side is dialling. */
  get dialling(): boolean {
    return this.#dial !== undefined;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Opens a connection, unless there is one or it is being opened. */
  connect(): void {
    if (this.#connection !== undefined || this.#dial !== undefined || this.#gone) return;
    this.#redial?.cancel();
    this.#redial = undefined;
    const { own } = this.#host;
    const attempt = dial(this.address, own, (connection) => this.#dialled(connection));
    this.#dial = attempt;
    this.#tried = own.secret;
    const over = () => {
      if (this.#dial === attempt) this.#dial = undefined;
    };
    attempt.done.then(over, (error: Error) => {
      over();
      if (this.#connection === undefined && !this.#gone) this.#dialFailed(error);
    });
  }

  /** Stops dialling: the peer has come by itself. */
  stopDialling(): void {
    this.#dial?.cancel();
    this.#dial = undefined;
  }

  /**
   * Resolves with true when a connection is there over which the peer has told everything, with false when an attempt to make
   * one has failed, or the peer is gone.
   */
  ready(): Promise<boolean> {
    if (this.#isReady) return Promise.resolve(true);
    if (this.#gone) return Promise.resolve(false);
    this.connect();
    return this.#ready.promise;
  }

  /** Takes a connection over, in place of the one that there may be. */
  attach(connection: WireConnection): void {
    this.#drop(cut());
    this.#redial?.cancel();
    this.#redial = undefined;
    this.#connection = connection;
    this.#calls = new PeerCalls(connection, (name, argument) => this.#host.answer(name, argument));
    connection.handTo(this);
    this.sending.attach();
    this.receiving.attach(connection);
    for (const subscription of this.#host.subscriptions.values()) this.announce(subscription);
    connection.writer.numbers(FRAME.ready);
    connection.schedule();
  }

  /** Tells of a subscription of this process. Without a connection it is told with the next one. */
  announce(subscription: ReceivingSubscription): void {
    if (this.#connection === undefined) return;
    writeAnnouncement(this.#connection.writer, subscription.announcement);
    this.receiving.offer(subscription, this.#host.connected);
    this.#connection.schedule();
  }

  /** Tells that a subscription of this process wants nothing more. */
  withdraw(subscription: ReceivingSubscription): void {
    this.#connection?.writer.numbers(FRAME.unsubscribe, subscription.index);
    this.#connection?.schedule();
    this.receiving.forget(subscription.index);
  }

  /** Resolves when the peer has taken note of everything that was sent before; rejects when the connection is lost before. */
  ping(): Promise<void> {
    return this.#calls?.ping() ?? Promise.reject(cut());
  }

  /** Resolves when the peer has taken note of every outcome up to now; rejects when the connection is lost before. */
  tell(): Promise<void> {
    // In front of the ping: outcomes are written only when all that has accumulated goes out.
    this.beforeFlush();
    return this.ping();
  }

  /** Calls the peer; rejects with what it says went wrong, or when the connection is lost before it answers. */
  call(name: string, argument: unknown): Promise<unknown> {
    return this.#calls?.call(name, argument) ?? Promise.reject(cut());
  }

  /**
   * Looks after the connection; called about once a second. A process that hangs keeps its connection, which is as good as a
   * new one when it goes on; only silence beyond the idle limit ends it. `pausedMs`: how long this process itself was held up.
   */
  tick(now: number, pausedMs: number): void {
    const connection = this.#connection;
    this.#heardAt += pausedMs;
    if (connection !== undefined) {
      connection.heardAt += pausedMs;
      this.#heardAt = connection.heardAt;
    }
    const silentMs = now - this.#heardAt;
    const isWaiting = this.sending.busy || (this.#calls?.busy ?? false);
    if (isWaiting && silentMs > SILENT_MS) this.#hang(silentMs);
    if (connection === undefined) return;
    const idleMs = Math.min(connection.terms.idleMs, this.#host.own.terms.idleMs);
    if (silentMs > idleMs) return this.#silent(silentMs);
    if ((isWaiting && silentMs >= PING_MS) || now - connection.sentAt >= idleMs / PINGS_PER_IDLE) this.#keepAwake();
    if (!this.#hangs) this.sending.giveBackUnused();
  }

  /** The registry names it no more. */
  unlisted(): void {
    this.listed = false;
    if (this.#connection === undefined && this.#dial === undefined) this.leave(false);
  }

  /** It is gone: what it had goes to others. */
  leave(forGood: boolean): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#drop(cut());
    this.#stopTimers();
    this.sending.leave(forGood);
    this.receiving.leave();
    this.#ready.resolve(false);
    this.#host.onGone(this, forGood);
  }

  /** This process leaves: says so, and ends everything. Nothing is taken back. */
  close(): void {
    this.#gone = true;
    this.#stopTimers();
    this.#connection?.goodbye(GOODBYE.leaving, "the broker disconnects");
    this.#connection = undefined;
    this.#calls?.close(cut());
    this.#calls = undefined;
    this.receiving.leave();
    this.#ready.resolve(false);
  }

  frame(type: number, reader: ByteReader): void {
    const connection = this.#connection as WireConnection;
    if (this.receiving.frame(type, reader)) return;
    if (this.sending.frame(type, reader, connection)) {
      if (type === FRAME.ready) this.#becomeReady();
      return;
    }
    if (this.#calls?.frame(type, reader)) return;
    if (type !== FRAME.goodbye) throw new WireError(`there is no frame of type ${type}`);
    const code = reader.byte();
    if (code === GOODBYE.leaving) return this.leave(true);
    if (code === GOODBYE.violation) return this.closed(new WireError(`it says: ${reader.restText()}`));
    this.closed(undefined);
  }

  chunkBegins(): void {
    this.#host.outbox.hold();
    if (this.#hangs) this.#goesOn();
  }

  chunkEnds(): void {
    this.#host.outbox.release();
    if (this.sending.hasHeard) this.#connection?.schedule();
  }

  beforeFlush(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.sending.beforeFlush(connection);
    this.receiving.beforeFlush();
  }

  drained(): void {
    this.sending.drained();
  }

  closed(error: Error | undefined): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#drop(cut());
    if (error instanceof WireError) {
      this.#report(error);
      return this.#redialLater(REDIAL_MS.most);
    }
    // The side that dialled comes back at once; the other leaves it to it, or it is gone.
    if (connection.dialled) this.connect();
    else this.#redialLater(REDIAL_BY_OTHER_MS);
  }

  /** Only a dialled connection comes here: another process may listen at the address by now. */
  #dialled(connection: WireConnection): void {
    this.#dial = undefined;
    if (connection.terms.peerId !== this.id) {
      connection.destroy();
      this.#dialFailed(Object.assign(new Error("another process listens there"), { code: "ECONNREFUSED" }));
    } else this.#host.adopt(connection);
  }

  #becomeReady(): void {
    this.#failures = 0;
    this.#told = false;
    this.#isReady = true;
    this.#hangs = false;
    this.#ready.resolve(true);
  }

  #dialFailed(error: Error): void {
    this.#failures += 1;
    const { code } = error as { code?: string };
    const isRefused = code === "ECONNREFUSED";
    if (code === "ETIMEDOUT") this.#hangs = true;
    const isBusy = this.sending.busy;
    // Nobody listens there: whatever the process had, it does not have any more.
    if (isRefused) this.sending.lose();
    // One that begins or ends may cut a connection or two; one that cuts them all lets nobody in.
    const isExpected =
      error instanceof DuplicateError ||
      (isRefused && !isBusy) ||
      (isCut(error) && this.#failures < CUTS_BEFORE_REPORT);
    if (!this.#told && !isExpected) {
      this.#told = true;
      this.#report(error);
    }
    if (!(error instanceof DuplicateError)) {
      this.#ready.resolve(false);
      this.#ready = deferred();
    }
    if (!this.listed && !(error instanceof DuplicateError)) return this.leave(false);
    // Not trusted is no matter of time: most likely it is started again, as another process, before that changes.
    const isUntrusted = code === "ERR_AUTHENTICATION";
    const isUnanswered = code === "ETIMEDOUT";
    const most = isUnanswered ? REDIAL_MS.mostUnanswered : REDIAL_MS.most;
    const first = isUnanswered ? REDIAL_MS.most : REDIAL_MS.first;
    const pauseMs = isUntrusted ? REDIAL_UNTRUSTED_MS : Math.min(most, first * 2 ** Math.min(this.#failures, 10));
    // Not all at the same time.
    this.#redialLater(pauseMs * (0.75 + Math.random() / 2));
    if (isUntrusted) void this.#host.renewSecret().then(() => this.#host.own.secret !== this.#tried && this.connect());
  }

  #redialLater(delayMs: number): void {
    this.#redial?.cancel();
    this.#redial = this.#host.own.clock.after(delayMs, () => {
      this.#redial = undefined;
      this.connect();
    });
  }

  /** Nobody waits for it, it is sent nothing new, and what it has may go to others, until it says something again. */
  #hang(silentMs: number): void {
    if (!this.#hangs) {
      this.#hangs = true;
      this.#report(new Error(`it has said nothing for ${silentMs} ms`));
    }
    if (this.#connection !== undefined) this.#connection.flow.open = false;
    this.sending.impatient(silentMs);
  }

  #goesOn(): void {
    this.#hangs = false;
    this.sending.goesOn();
    if (this.#connection === undefined) return;
    this.#connection.flow.open = true;
    this.sending.drained();
  }

  #silent(silentMs: number): void {
    if (!this.#hangs) this.#report(new Error(`it has said nothing for ${silentMs} ms`));
    this.#hangs = true;
    this.#drop(cut());
    this.connect();
  }

  /** One question at a time: an answer says as much as several. */
  #keepAwake(): void {
    if (this.#pinging) return;
    this.#pinging = true;
    const over = () => {
      this.#pinging = false;
    };
    this.ping().then(over, over);
  }

  /** Ends the connection, if there is one, and what depended on it. */
  #drop(error: Error): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#heardAt = connection.heardAt;
    this.#connection = undefined;
    connection.destroy();
    if (this.#isReady) this.#ready = deferred();
    this.#isReady = false;
    this.sending.detach();
    this.receiving.detach();
    this.#calls?.close(error);
    this.#calls = undefined;
  }

  #stopTimers(): void {
    this.#redial?.cancel();
    this.#redial = undefined;
    this.stopDialling();
  }

  #report(error: Error): void {
    this.#host.onError(
      wrapError(error, "ERR_CONNECTION_LOST", `The peer at ${this.address} could not be reached`, { driver: "http" }),
    );
  }
}

function cut(): Error {
  return Object.assign(new Error("the connection was lost"), { code: "ECONNRESET" });
}
