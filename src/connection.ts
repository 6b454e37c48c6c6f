import { backoffMs } from "./backoff.ts";
import type { BrokerOptions } from "./broker-options.ts";
import { channels } from "./diagnostics.ts";
import type { CommonOptions, Driver, DriverContext, GivenUp } from "./driver.ts";
import { BrokerError, wrapError } from "./errors.ts";
import { guardedLogger, tellHook } from "./hooks.ts";
import type { Clock } from "./internal/clock.ts";
import { abortable, before, delay } from "./internal/wait.ts";
import { defaultLogger, type Logger } from "./logger.ts";
import { Outbound } from "./outbound.ts";

/**
 * Where a broker is in its life.
 * - `idle`: it was never connected.
 * - `connecting`: `connect` is under way.
 * - `connected`.
 * - `reconnecting`: the connection is lost and is being restored; publishes wait.
 * - `draining`: `disconnect` is under way.
 * - `closed`: it was disconnected, could not be connected, or gave its lost connection up. It may be connected again.
 */
export type Status = "idle" | "connecting" | "connected" | "reconnecting" | "draining" | "closed";

/** Where a driver comes from: known by name at once, loaded when the broker connects. */
export interface DriverSource {
  readonly name: string;
  load(options: BrokerOptions): Promise<Driver>;
}

/** A broker's driver and its life: connecting with retries, the status, lost connections, closing. */
export class Connection {
  readonly #source: DriverSource;
  readonly #clock: Clock;
  readonly #options: () => BrokerOptions & CommonOptions;
  readonly #onLost: () => void;
  #status: Status = "idle";
  #lastError: BrokerError | undefined;
  #driver: Driver | undefined;
  #outbound: Outbound | undefined;
  #opening: Promise<void> | undefined;
  #cancelOpening: AbortController | undefined;
  #maxMessageBytes = 0;

  /** @param onLost called when the driver has given the connection up: what was on it is to end. */
  constructor(source: DriverSource, clock: Clock, options: () => BrokerOptions & CommonOptions, onLost: () => void) {
    this.#source = source;
    this.#clock = clock;
    this.#options = options;
    this.#onLost = onLost;
  }

  get status(): Status {
    return this.#status;
  }

  get lastError(): BrokerError | undefined {
    return this.#lastError;
  }

  /** The driver, while it is connected or restoring its connection. */
  get driver(): Driver | undefined {
    return this.#driver;
  }

  get outbound(): Outbound {
    if (this.#outbound === undefined) throw new BrokerError("ERR_NOT_CONNECTED", "The broker is not connected.");
    return this.#outbound;
  }

  /** The largest message, by option and by what the server takes. */
  get maxMessageBytes(): number {
    return this.#maxMessageBytes;
  }

  get logger(): Logger {
    return guardedLogger(this.#options().logger ?? defaultLogger);
  }

  /** Connects, or waits for the connecting that is under way. */
  open(signal: AbortSignal | undefined): Promise<void> {
    if (this.#driver !== undefined) return Promise.resolve();
    // Whoever joins stops only its own waiting.
    if (this.#opening !== undefined) return abortable(this.#opening, signal);
    this.#opening = this.#open(signal).finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** Reports an error that no call returns. */
  report(error: BrokerError): void {
    if (channels.error.hasSubscribers) channels.error.publish({ broker: this.#source.name, error });
    const { onError } = this.#options();
    if (onError === undefined) this.logger.warn({ code: error.code, topic: error.topic, error }, error.message);
    else tellHook(onError, error, this.logger);
  }

  /** Reports a message that was given up. */
  giveUp(message: GivenUp): void {
    if (channels.giveUp.hasSubscribers) channels.giveUp.publish({ broker: this.#source.name, ...message });
    this.logger.warn({ ...message }, `Message ${message.id} on ${message.topic} was given up: ${message.reason}`);
  }

  /** Closes: `drain` gets the deadline and closes the subscriptions first. */
  async close(drain: (deadlineAt: number) => Promise<void>): Promise<void> {
    if (this.#opening !== undefined) {
      this.#cancelOpening?.abort(
        new BrokerError("ERR_NOT_CONNECTED", "The broker was disconnected while it was connecting."),
      );
      await this.#opening.catch(() => {
        // Told by `connect` itself; here it only has to be over.
      });
    }
    const driver = this.#driver;
    const outbound = this.#outbound;
    if (driver === undefined || outbound === undefined) {
      this.#become("closed");
      return;
    }
    const deadlineAt = this.#clock.now() + this.#options().drainTimeoutMs;
    this.#become("draining");
    try {
      await drain(deadlineAt);
      await before(this.#clock, deadlineAt, outbound.settled());
    } catch (error) {
      this.report(wrapError(error, "ERR_DRIVER", "Draining failed", { driver: driver.name }));
    }
    this.#driver = undefined;
    outbound.close();
    try {
      await driver.disconnect(deadlineAt);
    } catch (error) {
      throw wrapError(error, "ERR_DRIVER", "Disconnecting failed", { driver: driver.name });
    } finally {
      this.#outbound = undefined;
      this.#become("closed");
    }
  }

  async #open(signal: AbortSignal | undefined): Promise<void> {
    this.#become("connecting");
    const options = this.#options();
    const cancel = new AbortController();
    this.#cancelOpening = cancel;
    const timer = this.#clock.after(options.connectTimeoutMs, () =>
      cancel.abort(
        new BrokerError(
          "ERR_CONNECT_FAILED",
          `Connecting took longer than ${options.connectTimeoutMs} ms${this.#lastError === undefined ? "." : `: ${this.#lastError.message}`}`,
          { cause: this.#lastError },
        ),
      ),
    );
    const abort = () => cancel.abort(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    this.#lastError = undefined;
    try {
      const driver = await this.#source.load(options);
      cancel.signal.throwIfAborted();
      await this.#connect(driver, options, cancel.signal);
      this.#become("connected");
      if (driver.capabilities.guarantee === "at-most-once") {
        const message = `The ${driver.name} broker delivers at most once: retries, dead letters and durability are off.`;
        this.logger.warn({ driver: driver.name }, message);
      }
    } catch (error) {
      if (!signal?.aborted)
        this.#lastError = wrapError(error, "ERR_CONNECT_FAILED", "Connecting failed", { driver: this.#source.name });
      this.#become("closed", this.#lastError);
      throw signal?.aborted ? error : this.#lastError;
    } finally {
      timer.cancel();
      signal?.removeEventListener("abort", abort);
    }
  }

  async #connect(driver: Driver, options: BrokerOptions & CommonOptions, signal: AbortSignal): Promise<void> {
    const { minDelayMs, maxDelayMs, maxAttempts } = options.reconnect;
    const outbound = new Outbound(driver, options);
    this.#outbound = outbound;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await driver.connect(this.#context(driver, outbound), signal);
        break;
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const wrapped = wrapError(error, "ERR_CONNECT_FAILED", "Connecting failed", { driver: driver.name });
        this.#lastError = wrapped;
        if (!wrapped.retryable || attempt >= maxAttempts) throw wrapped;
        await delay(this.#clock, backoffMs(attempt, minDelayMs, maxDelayMs), signal);
      }
    }
    this.#driver = driver;
    this.#maxMessageBytes = Math.min(
      options.maxMessageBytes,
      driver.capabilities.maxMessageBytes ?? Number.POSITIVE_INFINITY,
    );
  }

  #context(driver: Driver, outbound: Outbound): DriverContext {
    const current = () => this.#driver === driver && this.#outbound === outbound;
    return {
      options: this.#options(),
      logger: this.logger,
      clock: this.#clock,
      onDown: (error) => {
        if (!current()) return;
        outbound.pause();
        if (this.#status === "connected") this.#become("reconnecting", error);
        this.report(error);
      },
      onUp: () => {
        if (!current()) return;
        if (this.#status === "reconnecting") {
          this.#become("connected");
          this.logger.info({ driver: driver.name }, `The connection of the ${driver.name} broker is restored.`);
        }
        outbound.resume();
      },
      onClosed: (error) => {
        if (!current()) return;
        this.#driver = undefined;
        outbound.close();
        this.#become("closed", error);
        this.report(error);
        this.#onLost();
      },
      onError: (error) => this.report(error),
      onGiveUp: (message) => this.giveUp(message),
    };
  }

  #become(status: Status, error?: BrokerError): void {
    this.#status = status;
    if (error !== undefined) this.#lastError = error;
    if (channels.status.hasSubscribers) channels.status.publish({ broker: this.#source.name, status, error });
  }
}
