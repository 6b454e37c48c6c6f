/**
 * The HTTP driver: peer to peer, with nothing to install.
 *
 * - **Mapping.** A process is a node of the registry, and has one connection with each other; over it go its subscriptions and its
 *   messages. With `wire: "go-micro"` a subscription is a node too, and go-micro peers send it messages by POST. A queue is a
 *   standing record of the registry; its messages wait in the outboxes of their publishers.
 * - **Delivery semantics.** At least once: the publisher's outbox keeps each message until its handler has settled it. In
 *   memory, so that a publisher that is killed takes what is unsettled with it; or, with `storage`, on disk as well.
 * - **Capabilities.** `httpCapabilities` below.
 * - **URL.** `http://host:port`, where it listens; port 0 picks a free one. Options: {@link HttpOptions}.
 * - **Escape hatch.** `broker.native` is `undefined`: there is no client underneath.
 */
import type { BrokerOptions } from "../../broker-options.ts";
import type { Capabilities } from "../../capabilities.ts";
import type {
  DeadLetterAdmin,
  Driver,
  DriverContext,
  DriverSubscription,
  Publication,
  QueueAdmin,
  SubscribeRequest,
} from "../../driver.ts";
import { BrokerError, wrapError } from "../../errors.ts";
import { abortable, before } from "../../internal/wait.ts";
import { leftBehind } from "../../outbox/left-behind.ts";
import { addressOfUrl } from "./address.ts";
import { checkHttpOptions, type HttpOptions, mergeHttpOptions } from "./options.ts";
import { type HttpSession, openSession } from "./session.ts";

export type { HttpLimits, HttpOptions, HttpTlsOptions } from "./options.ts";
export { type SurveyOptions, surveyPeers } from "./survey.ts";

/** What the HTTP driver promises. */
export const httpCapabilities: Capabilities = Object.freeze({
  guarantee: "at-least-once",
  durable: false,
  processes: true,
  mandatory: true,
  standingQueues: true,
  deadLetters: true,
  deadLetterMove: "move",
  ordered: true,
  keyAffinity: false,
  retryDelaysMs: "any",
  maxMessageBytes: null,
});

/** What it promises with the option `storage`. */
const durableHttpCapabilities: Capabilities = Object.freeze({ ...httpCapabilities, durable: true });

/** A driver that is a broker of its own: it finds its peers through a registry and delivers to them over HTTP. */
export function http(options: HttpOptions = {}): Driver<undefined> {
  checkHttpOptions(options);
  return new HttpDriver(options, options.storage !== undefined);
}

/** Opens `http://host:port`. */
export function open(url: string, options: BrokerOptions): Driver {
  return new HttpDriver({ address: addressOfUrl(url) }, options.storage !== undefined);
}

class HttpDriver implements Driver<undefined> {
  readonly name = "http";
  readonly native = undefined;
  readonly #options: HttpOptions;
  #durable: boolean;
  #session: HttpSession | undefined;
  /** Ends what waits for a session that is over. */
  #ended = new AbortController();
  #context: DriverContext | undefined;

  constructor(options: HttpOptions, durable: boolean) {
    this.#options = options;
    this.#durable = durable;
  }

  get capabilities(): Capabilities {
    return this.#durable ? durableHttpCapabilities : httpCapabilities;
  }

  get address(): string {
    return this.#session?.address ?? "";
  }

  get sendsAtOnce(): boolean {
    return this.#session?.hasSubscriptions === false;
  }

  get queues(): QueueAdmin {
    return this.#open().queues;
  }

  get deadLetters(): DeadLetterAdmin {
    return this.#open().deadLetters;
  }

  async connect(context: DriverContext, signal: AbortSignal): Promise<void> {
    this.#context = context;
    const options = mergeHttpOptions(this.#options, context.options);
    this.#durable = options.storage !== undefined;
    const opening = openSession(options, context);
    try {
      this.#session = await abortable(opening, signal);
    } catch (error) {
      if (signal.aborted) closeOnceOpen(opening, context);
      throw error;
    }
  }

  publish(publications: readonly Publication[]): void {
    this.#open().publish(publications);
  }

  subscribe(request: SubscribeRequest): Promise<DriverSubscription> {
    return this.#open().subscribe(request);
  }

  async flush(signal: AbortSignal): Promise<void> {
    const { outbox } = this.#open();
    await outbox.when(() => outbox.flushed, AbortSignal.any([signal, this.#ended.signal]));
  }

  async disconnect(deadlineAt: number): Promise<void> {
    const session = this.#session;
    const context = this.#context;
    if (session === undefined || context === undefined) return;
    const { outbox } = session;
    await before(
      context.clock,
      deadlineAt,
      outbox.when(() => outbox.idle),
    );
    // What is on disk goes on with the next process.
    const lost = this.#durable ? 0 : session.abandoned + outbox.messages;
    const where = leftBehind(outbox);
    this.#session = undefined;
    this.#ended.abort(new BrokerError("ERR_NOT_CONNECTED", "The broker was disconnected before all was delivered."));
    this.#ended = new AbortController();
    await session.close();
    if (lost === 0) return;
    throw new BrokerError(
      "ERR_UNDELIVERED",
      `${lost} message(s) were given up${where}: nobody took them in time, and they end with this process.`,
      { driver: this.name, count: lost },
    );
  }

  #open(): HttpSession {
    if (this.#session === undefined) throw new BrokerError("ERR_NOT_CONNECTED", "The HTTP broker is not connected.");
    return this.#session;
  }
}

/** An opening cannot be stopped half-way: what it opens after all is closed again. */
function closeOnceOpen(opening: Promise<HttpSession>, context: DriverContext): void {
  const closed = opening.then(
    (session) => session.close(),
    () => {
      // The caller has left with the signal's reason, and nothing is open.
    },
  );
  closed.catch((error: unknown) =>
    context.onError(wrapError(error, "ERR_DRIVER", "Closing what an aborted connect had opened failed")),
  );
}
