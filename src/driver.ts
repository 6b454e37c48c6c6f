/**
 * The driver contract. `Broker` is what users call; a `Driver` is what moves bytes for it. The portable layer above does
 * argument checks, encoding, batching, concurrency, settling, attempts and backoff, the decision on dead letters,
 * draining, timeouts, error wrapping and diagnostics, once for all drivers. These comments are the specification;
 * the conformance kit of `tidings/testing` checks them.
 */
import type { BrokerOptions, ReconnectOptions } from "./broker-options.ts";
import type { Capabilities } from "./capabilities.ts";
import type { BrokerError } from "./errors.ts";
import type { Clock } from "./internal/clock.ts";
import type { Logger } from "./logger.ts";
import type { Header } from "./message.ts";
import type { ReceiptState } from "./receipt.ts";

export type { BrokerOptions } from "./broker-options.ts";
export type { Capabilities } from "./capabilities.ts";
export { DEAD_LETTER_HEADERS, type KeptDeadLetter, showDeadLetter, withoutDeadLetterHeader } from "./dead-letter.ts";
export type { ErrorCode, ErrorScope } from "./error-codes.ts";
export { BrokerError, wrapError } from "./errors.ts";
export type { Clock, Timer } from "./internal/clock.ts";
export type { Logger } from "./logger.ts";
export type { Header } from "./message.ts";
export type { ReceiptState } from "./receipt.ts";
export { isDeadLetterTopic, isPattern, matchesTopic } from "./topics.ts";

/**
 * What a driver is: eight required members, and the optional admin members for drivers that keep queues or dead letters.
 *
 * A driver is used by one broker. It may throw anything; the portable layer wraps what is not a `BrokerError` as
 * `ERR_DRIVER`, so a driver classifies the native errors that have a code of their own.
 */
export interface Driver<Native = unknown> {
  /** The driver's short name, such as `"memory"`. Constant. */
  readonly name: string;
  /** What the driver promises. Before `connect` the static manifest; after it, narrowed by what the server reports. */
  readonly capabilities: Capabilities;
  /** Where the driver listens or is connected, for people; `""` while it is not. Never holds credentials. */
  readonly address: string;
  /** The native client, for `broker.native`. Read only while connected. */
  readonly native: Native;

  /**
   * Connects. Called once, or again after it failed; never concurrently, never after it succeeded. A failed call leaves
   * nothing behind. A `BrokerError` with `retryable: true` makes the portable layer try again until `connectTimeoutMs`.
   * From here on the driver itself restores a lost connection with everything on it, as `context.options.reconnect`
   * says, and reports with `context.onDown` and `context.onUp`.
   * @param signal aborted when the portable layer gives up waiting; the driver then stops and rejects.
   */
  connect(context: DriverContext, signal: AbortSignal): Promise<void>;

  /**
   * Sends messages, in order. Called with everything that has accumulated, concurrently with everything else, also while
   * subscriptions drain; never before `connect`, between `onDown` and `onUp`, or after `disconnect`. Returns at once;
   * the driver calls `confirm` or `fail` of each publication exactly once, at any time, also during this call. It may
   * keep the publications, their headers and bodies, and must not change them. One bad message fails alone.
   */
  publish(publications: readonly Publication[]): void;

  /**
   * Subscribes. May be called concurrently. When it resolves, every message published from then on, in any process,
   * reaches the subscription. Deliveries may begin before it resolves. After a reconnect the driver restores it.
   */
  subscribe(request: SubscribeRequest): Promise<DriverSubscription>;

  /**
   * Disconnects. Called once, after every subscription was closed. Waits for what is on its way to live targets, at most
   * until `deadlineAt` (as the context's `clock.now()` has it, not the system's time), then closes whatever keeps the process
   * alive. Also called while the connection is down.
   * @throws BrokerError `ERR_UNDELIVERED` with `count` when messages that it had taken charge of are given up; everything
   * is closed all the same.
   */
  disconnect(deadlineAt: number): Promise<void>;

  /** Resolves when everything published is delivered and settled. For drivers that keep messages in the process. */
  flush?(signal: AbortSignal): Promise<void>;
  /** The queues that the driver keeps. Required with the capability `standingQueues`. */
  readonly queues?: QueueAdmin;
  /** The dead letters that the driver keeps. Required with the capability `deadLetters`. */
  readonly deadLetters?: DeadLetterAdmin;
  /**
   * Whether a lone publication may come to `publish` within the publisher's call, and not at the end of its turn: it then
   * leaves a little earlier. Only while no `deliver` can happen during `publish`. Read often. Default `false`.
   */
  readonly sendsAtOnce?: boolean;
  /** What the server says that it is. Read only while connected; `undefined` where there is none, or it does not tell. */
  readonly server?: ServerInfo | undefined;
}

/** A server as it describes itself, for people. */
export interface ServerInfo {
  /** The product, such as `"RabbitMQ"`. */
  readonly name: string;
  /** Its version, such as `"3.10.8"`. */
  readonly version: string;
}

/** What the portable layer hands to a driver at `connect`. */
export interface DriverContext {
  /** Every option given to the broker, the driver's own among them, with the defaults of the common ones filled in. */
  readonly options: Readonly<BrokerOptions & CommonOptions>;
  readonly logger: Logger;
  /** The time, for everything the driver schedules. What it writes down for others, and they for it, is in the system's time. */
  readonly clock: Clock;
  /** The connection is lost and is being restored: publishes are held back from now on. */
  onDown(error: BrokerError): void;
  /** The connection is restored with everything on it. */
  onUp(): void;
  /** Restoring was given up: the broker is closed. */
  onClosed(error: BrokerError): void;
  /** Reports an error that no call can return, such as a failed background task. */
  onError(error: BrokerError): void;
  /** Reports a message that was given up: never silently. */
  onGiveUp(message: GivenUp): void;
}

/** The options whose defaults the portable layer fills in before a driver sees them. */
export type CommonOptions = Required<
  Pick<
    BrokerOptions,
    | "maxMessageBytes"
    | "bufferMessages"
    | "bufferBytes"
    | "whenFull"
    | "acceptTimeoutMs"
    | "drainTimeoutMs"
    | "connectTimeoutMs"
  >
> & { readonly reconnect: Readonly<ReconnectOptions> };

/** A message that was given up, and why. */
export interface GivenUp {
  readonly topic: string;
  readonly id: string;
  /** The queue in which it was; `undefined` for a broadcast subscription, or where nobody wanted it. */
  readonly queue?: string | undefined;
  /** One phrase, for people. */
  readonly reason: string;
}

/** A message on its way out, with the two calls that answer it. */
export interface Publication {
  readonly topic: string;
  readonly id: string;
  readonly key: string | undefined;
  readonly header: Header;
  readonly body: Uint8Array;
  /** Header and body, in bytes. */
  readonly bytes: number;
  /** Fail with `ERR_NO_SUBSCRIBERS` where nobody wants it. Only set where the capability says so. */
  readonly mandatory: boolean;
  /** For a dead letter: the subscription that failed, so that a redrive finds it. Kept with the message, not in its header. */
  readonly origin: DeadLetterOrigin | undefined;
  /** Somebody has taken charge of the message, in the way that `state` says. */
  confirm(state: ReceiptState): void;
  /** Nobody has. */
  fail(error: BrokerError): void;
  /**
   * Calls `listener` once, when the publication is answered, at once where it is; also when its publisher waits no longer: what
   * was not handed over by then need not be.
   */
  whenAnswered?(listener: () => void): void;
  /**
   * The driver tells that neither it nor its client will read the body again, also where the publisher waits no longer: the memory
   * of a large one is used for another message. At most once. One that is never given back is left to the garbage collector.
   */
  giveBackBody?(): void;
}

/** The subscription in which a message failed. */
export interface DeadLetterOrigin {
  readonly pattern: string;
  readonly queue: string | undefined;
  /** Of a broadcast subscription; a redrive reaches it only while it lives. */
  readonly subscriptionId: string | undefined;
}

/** What the portable layer asks a driver to subscribe to. */
export interface SubscribeRequest {
  /** Unique in the world, opaque, 1 to 63 characters of `a-z`, `0-9` and `-`: safe in DNS. */
  readonly id: string;
  readonly pattern: string;
  /** The queue to share, or `undefined`: broadcast. */
  readonly queue: string | undefined;
  /** At most this many unsettled deliveries at any time. */
  readonly prefetch: number;
  /** After this long without `settle` or `extend` the portable layer settles by itself; an engine's own limit must be longer. */
  readonly ackTimeoutMs: number;
  readonly maxAttempts: number;
  /** Takes a message. Returns at once and never throws. Never called after `stop` resolved. */
  deliver(delivery: DriverDelivery): void;
  /** The driver lost the subscription for good; nothing more will come. */
  onEnd(error: BrokerError): void;
}

/** A subscription as its driver sees it. */
export interface DriverSubscription {
  /**
   * Whether what is released comes again, to any member. Where it does not, what has arrived when the subscription ends is still
   * handled, as far as the drain deadline allows: `stop` resolves when all of it was delivered. Default `true`.
   */
  readonly takesBack?: boolean;
  /** Stops fetching: once it resolves, `deliver` is called no more. Deliveries can still be settled. Idempotent. */
  stop(): Promise<void>;
  /**
   * Called after `stop`, when everything delivered is settled: removes what only this subscription needed. Idempotent.
   * @param disconnecting whether the whole broker disconnects: messages of its own that only this subscription wanted are
   * then counted in `ERR_UNDELIVERED`; after an `unsubscribe` nobody wants them any more.
   */
  close(disconnecting: boolean): Promise<void>;
}

/** A message that reached a subscription. The portable layer settles each exactly once. */
export interface DriverDelivery {
  readonly topic: string;
  readonly id: string;
  readonly key: string | undefined;
  /** Frozen when a handler reads it. */
  readonly header: Header;
  /** Never changed: a handler gets a copy, or what `ownBody` says. */
  readonly body: Uint8Array;
  /**
   * The body as bytes that are the caller's alone, to change and to keep. `body` is as it was all the same, unless there is neither
   * a next attempt nor a dead letter. For drivers that can save a copy of large ones.
   */
  ownBody?(): Uint8Array;
  /** 1 plus the attempts already counted: handler starts that failed, and processes that died with it. */
  readonly attempt: number;
  /** When it failed first, in milliseconds since the epoch by the system's time; `undefined` where it has not, or nobody knows. */
  readonly firstFailureAt: number | undefined;
  /** Why the message cannot be handled at all, found by the driver: it becomes a dead letter without an attempt. */
  readonly broken?: string;
  /**
   * Says what becomes of the message. Returns nothing, or a promise that resolves once it is done and rejects if that
   * failed; a failed `ack` means that the message will come again.
   */
  settle(outcome: Outcome): void | Promise<void>;
  /** The handler needs `ms` more milliseconds, or the message waits in the process for a local retry that is attempt `attempt`. */
  extend?(ms: number, attempt: number): void;
}

/** What becomes of a delivery. */
export type Outcome = Ack | Retry | Release | Dead;

/** Done. */
export interface Ack {
  readonly kind: "ack";
}

/** Deliver again, to any member, not before `delayMs` and at most twice as late plus 1 s, as attempt number `attempt`. */
export interface Retry {
  readonly kind: "retry";
  readonly delayMs: number;
  readonly attempt: number;
  /** To be kept for its next delivery. */
  readonly firstFailureAt: number | undefined;
}

/** Not started: give it back at once, with no attempt counted, and keep its place in the order where possible. */
export interface Release {
  readonly kind: "release";
}

/**
 * Failed for good. With `deadLetterMove: "move"` the driver moves the message to `to` in one step, or gives it up with an
 * event where `to` is `false`; with `"publish"` it only ever sees `to: false`.
 */
export interface Dead {
  readonly kind: "dead";
  readonly to: string | false;
  readonly reason: string;
  readonly attempts: number;
  /** First and last failure, in milliseconds since the epoch by the system's time. */
  readonly firstAt: number;
  readonly lastAt: number;
}

/** A queue as `broker.queues.list()` shows it. */
export interface QueueInfo {
  /** The topic or pattern. */
  readonly topic: string;
  readonly queue: string;
  /** Live members. */
  readonly members: number;
  /** Messages held for the queue: waiting, delayed and unsettled. */
  readonly messages: number;
}

/** A dead letter as `broker.deadLetters.list()` shows it. Its header and body are those of the original message. */
export interface DeadLetter {
  readonly id: string;
  /** The topic on which the message failed. */
  readonly topic: string;
  /** The queue in which it failed; `undefined` for a broadcast subscription. */
  readonly queue: string | undefined;
  readonly reason: string;
  readonly attempts: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
  readonly header: Header;
  readonly body: Uint8Array;
}

/** Creates, lists and removes queues. All are idempotent. */
export interface QueueAdmin {
  /** When it resolves, the queue gets every message published from then on, in any process. */
  create(pattern: string, queue: string): Promise<void>;
  list(): Promise<QueueInfo[]>;
  /** Removes the queue with what it holds; resolves with whether it existed. */
  remove(pattern: string, queue: string): Promise<boolean>;
}

/** A dead-letter topic as `broker.deadLetters.topics()` shows it. */
export interface DeadLetterTopic {
  /** The concrete topic, such as `dlq.orders.created`. */
  readonly topic: string;
  /** Dead letters that wait in it, those that a reader holds included. */
  readonly messages: number;
}

/** Which dead letters to redrive or drop, and what to tell meanwhile. */
export interface DeadLetterChoice {
  /** Only those with one of these ids; one message that failed in several queues has a dead letter of each. Default: all. */
  readonly ids?: ReadonlySet<string> | undefined;
  /** Stops the work between two dead letters: what was not reached stays. The portable layer rejects the call by itself. */
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with how many are done so far. */
  readonly onProgress?: ((count: number) => void) | undefined;
}

/** Lists, redrives and drops dead letters. `topic` is a concrete dead-letter topic. */
export interface DeadLetterAdmin {
  /** Every dead-letter topic in which dead letters wait. The kit asks for it; without it the broker's call is `ERR_UNSUPPORTED`. */
  topics?(): Promise<DeadLetterTopic[]>;
  list(topic: string): Promise<DeadLetter[]>;
  /**
   * Sends dead letters back to where they failed, and removes each once that is confirmed; resolves with how many went. Only
   * those that were there at the call: one that fails again meanwhile stays.
   */
  redrive(topic: string, choice: DeadLetterChoice): Promise<number>;
  /** Removes the dead letters that were there at the call; resolves with how many there were. */
  drop(topic: string, choice: DeadLetterChoice): Promise<number>;
}

/** The one acknowledgement. */
export const ACK: Ack = Object.freeze({ kind: "ack" });

/** The one release. */
export const RELEASE: Release = Object.freeze({ kind: "release" });
