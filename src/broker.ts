import { BrokerAdmin, type DeadLetters, type Queues } from "./broker-admin.ts";
import type { BrokerOptions, PublishOptions, SubscribeOptions } from "./broker-options.ts";
import type { Capabilities } from "./capabilities.ts";
import { checkBrokerOptions, checkPublishOptions, resolveSubscribeOptions, withDefaults } from "./check-options.ts";
import type { Codec } from "./codec.ts";
import { Connection, type DriverSource, type Status } from "./connection.ts";
import type { Handler } from "./delivery.ts";
import type { Driver, ServerInfo } from "./driver.ts";
import { BrokerError, wrapError } from "./errors.ts";
import { type Clock, systemClock } from "./internal/clock.ts";
import { Ids } from "./internal/ids.ts";
import { abortable } from "./internal/wait.ts";
import { checkTag, copyBody, copyHeader, type MessageInput } from "./message.ts";
import { MessageStream } from "./message-stream.ts";
import { Outgoing } from "./outgoing.ts";
import { Publisher } from "./publisher.ts";
import type { Receipt } from "./receipt.ts";
import type { Subscriber } from "./subscriber.ts";
import type { Subscription } from "./subscription.ts";
import { Subscriptions } from "./subscriptions.ts";
import { checkPattern, checkQueue, checkTopic, isDeadLetterTopic, matchesTopic } from "./topics.ts";

/** The options of a publish that names none, which need no check. */
const NO_OPTIONS: PublishOptions = Object.freeze({});

/** How many topics are remembered as valid. */
const MAX_CHECKED_TOPICS = 10_000;

/** What a {@link Broker} is assembled from. `createBroker` does it for users. */
export interface BrokerParts {
  readonly source: DriverSource;
  /** The codec of publishers that name none. */
  readonly codec: Codec;
  /** The time; tests may bring their own. */
  readonly clock?: Clock;
}

/**
 * The portable broker: the same calls and the same delivery contract on every driver. Made by `createBroker`; connect it
 * before use. Everything may be called concurrently.
 */
export class Broker<Native = unknown> implements AsyncDisposable {
  /** Queues that the broker keeps: list and remove them. */
  readonly queues: Queues;
  /** Dead letters that the broker keeps: list, redrive and drop them. */
  readonly deadLetters: DeadLetters;
  readonly #parts: BrokerParts;
  readonly #clock: Clock;
  readonly #admin: BrokerAdmin;
  readonly #connection: Connection;
  readonly #subscriptions: Subscriptions;
  /** Topics that were published to: a topic is checked once, and looked up then. */
  readonly #checkedTopics = new Set<string>();
  readonly #ids = new Ids();
  #options: BrokerOptions;
  #closing: Promise<void> | undefined;

  constructor(parts: BrokerParts, options: BrokerOptions = {}) {
    checkBrokerOptions(options);
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
    this.#options = { ...options };
    this.#connection = new Connection(
      parts.source,
      this.#clock,
      () => withDefaults(this.#options),
      () => void this.#subscriptions.closeAll(this.#clock.now()),
    );
    this.#subscriptions = new Subscriptions(this.#connection, this.#clock);
    this.#admin = new BrokerAdmin(() => this.#driver());
    this.queues = this.#admin.queues;
    this.deadLetters = this.#admin.deadLetters;
  }

  /** The driver's name, known before connecting. */
  get name(): string {
    return this.#parts.source.name;
  }

  /** Where the broker listens or is connected; `""` while it is not. */
  get address(): string {
    return this.#connection.driver?.address ?? "";
  }

  /** The options in force, defaults included. Secrets are shown as `"[secret]"`. */
  get options(): Readonly<BrokerOptions> {
    const options = withDefaults(this.#options);
    return Object.freeze({
      ...options,
      ...(options.secret === undefined ? {} : { secret: "[secret]" }),
      ...(options.tls === undefined ? {} : { tls: {} }),
    });
  }

  /** `idle`, `connecting`, `connected`, `reconnecting`, `draining` or `closed`. */
  get status(): Status {
    return this.#connection.status;
  }

  /** The error that the status comes from: the last one that connecting or the connection had. */
  get lastError(): BrokerError | undefined {
    return this.#connection.lastError;
  }

  /**
   * What this broker promises.
   * @throws BrokerError `ERR_NOT_CONNECTED`
   */
  get capabilities(): Capabilities {
    return this.#driver().capabilities;
  }

  /**
   * What the server says that it is; `undefined` where there is none, as behind the HTTP broker, or it does not tell.
   * @throws BrokerError `ERR_NOT_CONNECTED`
   */
  get server(): ServerInfo | undefined {
    return this.#driver().server;
  }

  /**
   * The driver's own client, for what Tidings does not offer.
   * @throws BrokerError `ERR_NOT_CONNECTED`
   */
  get native(): Native {
    return this.#driver().native as Native;
  }

  /**
   * Adds options before connecting; a later value wins.
   * @throws BrokerError `ERR_CONNECTED` afterwards, `ERR_INVALID_OPTION`
   */
  init(options: BrokerOptions = {}): void {
    if (this.status !== "idle" && this.status !== "closed")
      throw new BrokerError("ERR_CONNECTED", "Options can only be set before connecting.");
    checkBrokerOptions(options);
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    this.#options = { ...this.#options, ...given };
  }

  /**
   * Connects; resolves when messages can be published and subscribed to. An unreachable server is tried again within
   * `connectTimeoutMs`. Connecting twice is harmless, and a closed broker may be connected anew.
   * @throws BrokerError `ERR_CONNECT_FAILED`, `ERR_AUTHENTICATION`, `ERR_ADDRESS_IN_USE`, `ERR_INVALID_OPTION`,
   * `ERR_UNSUPPORTED`, `ERR_MISSING_DEPENDENCY`; the signal's reason when aborted.
   */
  async connect(options: { signal?: AbortSignal } = {}): Promise<void> {
    options.signal?.throwIfAborted();
    if (this.#closing !== undefined)
      throw new BrokerError("ERR_CONNECTED", "The broker is disconnecting; wait for that before connecting again.");
    await this.#connection.open(options.signal);
  }

  /**
   * Drains and closes: running handlers may finish, unstarted messages go back, what is on its way to live targets arrives,
   * all within `drainTimeoutMs`. Idempotent. Afterwards nothing of the broker keeps the process alive.
   * @throws BrokerError `ERR_UNDELIVERED` with `count` when messages were given up; the broker is closed all the same.
   */
  disconnect(): Promise<void> {
    this.#closing ??= this.#close().finally(() => {
      this.#closing = undefined;
    });
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
  }

  /**
   * Publishes a message. Resolves when somebody has taken charge of it, as `state` says; never waits for a handler. Messages
   * of one publisher on one topic keep their order. The body may be changed as soon as the call returns.
   * @throws BrokerError `ERR_NOT_CONNECTED`, `ERR_INVALID_TOPIC`, `ERR_INVALID_MESSAGE`, `ERR_MESSAGE_TOO_LARGE`,
   * `ERR_BACKLOG_FULL`, `ERR_NO_SUBSCRIBERS`, `ERR_UNSUPPORTED`; the signal's reason when aborted.
   */
  publish(topic: string, message: MessageInput = {}, options: PublishOptions = NO_OPTIONS): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      const outgoing = this.#outgoing(topic, message, options, resolve, reject);
      if (options.signal !== undefined) abandonWith(options.signal, outgoing);
      this.#connection.outbound.send(outgoing);
    });
  }

  /**
   * Publishes messages to one topic, in order; resolves with one receipt or error for each, in order. One bad message fails
   * alone. `options` hold for each of them, so that `id` is not among them.
   * @throws BrokerError `ERR_NOT_CONNECTED`, `ERR_INVALID_TOPIC`
   */
  async publishBatch(
    topic: string,
    messages: readonly (MessageInput & Pick<PublishOptions, "key" | "id">)[],
    options: Omit<PublishOptions, "id"> = {},
  ): Promise<(Receipt | BrokerError)[]> {
    this.#driver();
    checkTopic(topic);
    const answers = messages.map(async (message) => {
      const own = Object.fromEntries(
        Object.entries({ key: message?.key, id: message?.id }).filter(([, value]) => value !== undefined),
      );
      try {
        return await this.publish(topic, message, { ...options, ...own });
      } catch (error) {
        if (options.signal?.aborted) throw error;
        return wrapError(error, "ERR_DRIVER", "Publishing failed", { topic });
      }
    });
    return Promise.all(answers);
  }

  /**
   * Subscribes a handler to a topic or pattern. When it resolves, every message published from then on arrives.
   * @throws BrokerError `ERR_NOT_CONNECTED`, `ERR_INVALID_TOPIC`, `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`; the signal's
   * reason when it is aborted before.
   */
  async subscribe(topic: string, handler: Handler, options: SubscribeOptions = {}): Promise<Subscriber> {
    if (typeof handler !== "function")
      throw new BrokerError("ERR_INVALID_OPTION", "subscribe takes a function as its second argument.");
    return (await this.#subscribe(topic, handler, options)).subscriber;
  }

  /**
   * Subscribes for `for await`: at the call, not at the first turn. Deliveries are settled by hand. Leaving the loop drains and
   * gives back what was not taken. Errors of subscribing are thrown by the loop.
   */
  messages(topic: string, options: SubscribeOptions = {}): MessageStream {
    const opened = this.#subscribe(topic, undefined, { ...options, autoAck: false });
    return new MessageStream(
      opened.then(({ subscription, subscriber }) => ({
        pull: () => subscription.pull(),
        unsubscribe: () => subscriber.unsubscribe(),
      })),
    );
  }

  /**
   * Creates a queue ahead of its first member: it gets every message published from then on, and keeps it. Idempotent.
   * @throws BrokerError `ERR_NOT_CONNECTED`, `ERR_INVALID_TOPIC`, `ERR_UNSUPPORTED`
   */
  async createQueue(topic: string, queue: string): Promise<void> {
    checkPattern(topic);
    checkQueue(queue);
    await this.#admin.createQueue(topic, queue);
  }

  /**
   * A publisher of values to one topic, encoded by `codec`, or by the broker's, or as JSON. Works before connecting too.
   * @throws BrokerError `ERR_INVALID_TOPIC`, also for a pattern
   */
  publisher(topic: string, options: { codec?: Codec } = {}): Publisher {
    checkTopic(topic);
    const codec = options.codec ?? this.#options.codec ?? this.#parts.codec;
    return new Publisher(topic, codec, (to, message, rest) => this.publish(to, message, rest));
  }

  /**
   * Resolves when everything that this process published and still keeps is delivered and settled, dead letters included; of
   * what another process left, what somebody takes. Where an engine keeps messages, when everything is confirmed.
   * @throws BrokerError `ERR_NOT_CONNECTED`; the signal's reason when aborted.
   */
  async flush(options: { signal?: AbortSignal } = {}): Promise<void> {
    const driver = this.#driver();
    const signal = options.signal ?? new AbortController().signal;
    await abortable(this.#connection.outbound.settled(), options.signal);
    await driver.flush?.(signal);
  }

  #outgoing(
    topic: string,
    message: MessageInput,
    options: PublishOptions,
    resolve: (receipt: Receipt) => void,
    reject: (reason: unknown) => void,
  ): Outgoing {
    const driver = this.#driver();
    if (!this.#checkedTopics.has(topic)) this.#checkTopic(topic);
    if (typeof message !== "object" || message === null)
      throw new BrokerError("ERR_INVALID_MESSAGE", "A message is an object with header and body.", { topic });
    if (options !== NO_OPTIONS) checkPublishOptions(options);
    const { header, bytes: headerBytes } = copyHeader(message.header, topic);
    const body = copyBody(message.body, topic);
    const bytes = headerBytes + body.length;
    const limit = this.#connection.maxMessageBytes;
    if (bytes > limit)
      throw new BrokerError(
        "ERR_MESSAGE_TOO_LARGE",
        `The message has ${bytes} bytes of header and body; the limit is ${limit}.`,
        { topic },
      );
    if (options.id !== undefined) checkTag("id", options.id, topic);
    if (options.key !== undefined) checkTag("key", options.key, topic);
    const mandatory = options.mandatory ?? false;
    if (mandatory && !driver.capabilities.mandatory) {
      throw new BrokerError(
        "ERR_UNSUPPORTED",
        `The ${driver.name} broker cannot tell whether somebody wants a message, so that mandatory is not supported.`,
        { topic },
      );
    }
    const id = options.id ?? this.#ids.next();
    return new Outgoing(
      driver.name,
      { topic, id, key: options.key, header, body, bytes, mandatory, origin: undefined, ownsBody: true },
      resolve,
      reject,
    );
  }

  #checkTopic(topic: string): void {
    checkTopic(topic);
    if (this.#checkedTopics.size >= MAX_CHECKED_TOPICS) this.#checkedTopics.clear();
    this.#checkedTopics.add(topic);
  }

  async #subscribe(
    topic: string,
    handler: Handler | undefined,
    options: SubscribeOptions,
  ): Promise<{ subscription: Subscription; subscriber: Subscriber }> {
    const driver = this.#driver();
    checkPattern(topic);
    const resolved = resolveSubscribeOptions(options, withDefaults(this.#options).drainTimeoutMs);
    refuseDeadLetterLoop(topic, resolved.deadLetter);
    const atMostOnce = driver.capabilities.guarantee === "at-most-once";
    if (atMostOnce) refuseAtMostOnce(driver, options);
    const effective = atMostOnce ? { ...resolved, maxAttempts: 1, deadLetter: false as const } : resolved;
    return this.#subscriptions.open(driver, topic, handler, effective, options.signal);
  }

  async #close(): Promise<void> {
    // Where the connection was lost for good, its subscriptions may still be ending.
    if (this.status === "idle" || this.status === "closed") return this.#subscriptions.closeAll(this.#clock.now());
    await this.#connection.close(async (deadlineAt) => this.#subscriptions.closeAll(deadlineAt));
  }

  #driver(): Driver {
    const { driver, status } = this.#connection;
    if (driver === undefined || status === "connecting")
      throw new BrokerError(
        "ERR_NOT_CONNECTED",
        `The broker is not connected (it is ${status}): call connect() first.`,
      );
    return driver;
  }
}

/** An abort of the signal ends the publisher's wait. */
function abandonWith(signal: AbortSignal, outgoing: Outgoing): void {
  signal.throwIfAborted();
  const abort = () => outgoing.abandon(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  outgoing.whenAnswered(() => signal.removeEventListener("abort", abort));
}

/** A dead letter that its own subscription reads would fail there again, for ever. */
function refuseDeadLetterLoop(pattern: string, to: string | false | undefined): void {
  if (typeof to !== "string" || isDeadLetterTopic(to) || !matchesTopic(pattern, to)) return;
  const message = `The subscription to ${pattern} would read its own dead letters from ${to}: deadLetter names a topic that it does not match.`;
  throw new BrokerError("ERR_INVALID_OPTION", message, { topic: pattern });
}

function refuseAtMostOnce(driver: Driver, options: SubscribeOptions): void {
  for (const name of ["maxAttempts", "backoffMs", "maxBackoffMs", "deadLetter"] as const) {
    if (options[name] === undefined || (name === "maxAttempts" && options[name] === 1) || options[name] === false)
      continue;
    throw new BrokerError(
      "ERR_UNSUPPORTED",
      `The ${driver.name} broker delivers at most once: it has no retries and no dead letters, so that ${name} is not supported.`,
    );
  }
}
