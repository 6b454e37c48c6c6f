import { backoffMs } from "../../backoff.ts";
import type { DriverContext } from "../../driver.ts";
import { BrokerError, wrapError } from "../../errors.ts";
import { type Deferred, deferred } from "../../internal/deferred.ts";
import { abortable, delay } from "../../internal/wait.ts";
import { withoutUser } from "./classify.ts";
import type { Session } from "./session.ts";
import { within } from "./within.ts";

/** What a {@link Link} needs from its driver. */
export interface LinkHost {
  open(): Promise<Session>;
  /** Puts everything on a new connection. One that breaks meanwhile makes it reject. */
  restore(session: Session): Promise<void>;
  /** The connection is gone. */
  lost(error: BrokerError): void;
  /** Restoring was given up. */
  ended(error: BrokerError): void;
}

/** Keeps one connection open: restores a lost one, as the options say, with everything on it. */
export class Link {
  readonly #host: LinkHost;
  readonly #context: DriverContext;
  readonly #stopping = new AbortController();
  #session: Session | undefined;
  #next: Deferred<Session> = deferred();

  constructor(host: LinkHost, context: DriverContext) {
    this.#host = host;
    this.#context = context;
    this.#quiet();
  }

  /** The connection, while it is up. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** The connection, or the next one while it is being restored, which is waited for as long as {@link within} says. */
  up(): Promise<Session> {
    return this.#session === undefined
      ? within(this.#context.clock, this.#next.promise)
      : Promise.resolve(this.#session);
  }

  /** Connects for the first time, once. */
  async start(signal: AbortSignal): Promise<void> {
    const opening = this.#open();
    try {
      this.#arrived(await abortable(opening, signal));
    } catch (error) {
      // Opening cannot be stopped half-way; what it opens after all is closed again.
      opening.then(
        (session) => session.destroy(),
        () => {
          // The caller has this error.
        },
      );
      this.stop();
      throw error;
    }
  }

  /** Ends the restoring; the connection is left to its user. Idempotent. */
  stop(): Session | undefined {
    const error = new BrokerError("ERR_NOT_CONNECTED", "The RabbitMQ broker is closed.", { driver: "rabbitmq" });
    this.#stopping.abort(error);
    this.#next.reject(error);
    const session = this.#session;
    this.#session = undefined;
    return session;
  }

  async #open(): Promise<Session> {
    const session = await this.#host.open();
    session.onBlocked((reason) => this.#blocked(session, reason));
    const broken = session.ended.then((cause) => {
      throw this.#lostError(cause);
    });
    try {
      await Promise.race([this.#host.restore(session), broken]);
      return session;
    } catch (error) {
      this.#host.lost(wrapError(error, "ERR_CONNECTION_LOST", "The connection to RabbitMQ broke"));
      session.destroy();
      throw error;
    }
  }

  /** The server takes no publishes for now, for a reason, or takes them again: meanwhile they are held back, within bounds. */
  #blocked(session: Session, reason: string | undefined): void {
    if (this.#session !== session) return;
    if (reason === undefined) return this.#context.onUp();
    const message = `RabbitMQ at ${session.address} takes no publishes for now: ${reason}`;
    this.#context.onDown(new BrokerError("ERR_BACKLOG_FULL", message, { driver: "rabbitmq" }));
  }

  #arrived(session: Session): void {
    this.#session = session;
    this.#next.resolve(session);
    void session.ended.then((cause) => {
      if (this.#session !== session) return;
      this.#session = undefined;
      this.#next = deferred();
      this.#quiet();
      const error = this.#lostError(cause);
      this.#host.lost(error);
      this.#context.onDown(error);
      void this.#restore();
    });
  }

  async #restore(): Promise<void> {
    const { minDelayMs, maxDelayMs, maxAttempts } = this.#context.options.reconnect;
    const { signal } = this.#stopping;
    let told = "";
    try {
      for (let attempt = 1; ; attempt += 1) {
        await delay(this.#context.clock, backoffMs(attempt, minDelayMs, maxDelayMs), signal);
        const failure = await this.#tryAgain();
        if (failure === undefined || signal.aborted) return;
        if (failure.code === "ERR_AUTHENTICATION" || attempt >= maxAttempts) return this.#giveUp(failure);
        // A server that is away is no news; one that is there and refuses something is, once.
        if (failure.retryable || failure.message === told) continue;
        told = failure.message;
        this.#context.onError(failure);
      }
    } catch (error) {
      if (!signal.aborted) this.#giveUp(wrapError(error, "ERR_DRIVER", "Restoring the connection failed"));
    }
  }

  async #tryAgain(): Promise<BrokerError | undefined> {
    try {
      const session = await this.#open();
      if (this.#stopping.signal.aborted) {
        session.destroy();
        return undefined;
      }
      this.#arrived(session);
      // Where the server is short of room again already, whoever hears of it says when it is not.
      if (!session.blocked) this.#context.onUp();
      return undefined;
    } catch (error) {
      return wrapError(error, "ERR_CONNECTION_LOST", "Restoring the connection failed", { driver: "rabbitmq" });
    }
  }

  #giveUp(error: BrokerError): void {
    this.#next.reject(error);
    this.#host.ended(error);
    this.#context.onClosed(error);
  }

  #lostError(cause: Error | undefined): BrokerError {
    const why = cause === undefined ? "" : `: ${withoutUser(cause.message)}`;
    return new BrokerError("ERR_CONNECTION_LOST", `The connection to RabbitMQ broke${why}`, { driver: "rabbitmq" });
  }

  /** Nobody may be waiting for the next connection when there will be none. */
  #quiet(): void {
    this.#next.promise.catch(() => {});
  }
}
