import { BrokerError, wrapError } from "../errors.ts";
import type { Clock, Timer } from "../internal/clock.ts";
import { DEFAULT_REGISTER_INTERVAL_MS, DEFAULT_TTL_MS, type Registry, type Service } from "../registry.ts";
import { backgroundClock } from "./background-clock.ts";
import { checkDuration, recordKey } from "./records.ts";

const MIN_RETRY_MS = 1_000;

/** Options of {@link keepRegistered}. */
export interface KeepRegisteredOptions {
  /** How long the record holds without being registered again, in milliseconds. Default 60,000. Longer than `intervalMs`. */
  ttlMs?: number;
  /** How often it is registered again, in milliseconds. Default 30,000. */
  intervalMs?: number;
  /** Register a record that outlives the process: `stop` then leaves it to its TTL. Default false. */
  standing?: boolean;
  /** Hears of every failure to register again. The next attempt follows after 1 s, doubled up to `intervalMs`. */
  onError: (error: BrokerError) => void;
  /** Where the time comes from. Default: the system's, with timers that do not keep the process alive. */
  clock?: Clock;
}

/** A service that stays registered until it is stopped. */
export interface Registration {
  /**
   * Registers `service` instead, and removes the nodes that it no longer has (standing ones are left to their TTL).
   * Resolves when the registry has it. Rejects with the registry's error: a retryable one is followed by further
   * attempts; otherwise the former service stays registered. `ERR_REGISTRY` (not retryable) after `stop`.
   */
  update(service: Service): Promise<void>;
  /**
   * Ends the registration and, unless it is standing, deregisters. Waits for an attempt that is under way. Idempotent;
   * rejects with the registry's error when deregistering fails (the record then ends with its TTL).
   */
  stop(): Promise<void>;
}

/**
 * Registers a service now and again at every interval. Rejects with the registry's error when the first attempt fails:
 * then nothing is left running; or with `ERR_INVALID_OPTION` for an interval that is not shorter than the TTL.
 */
export async function keepRegistered(
  registry: Registry,
  service: Service,
  options: KeepRegisteredOptions,
): Promise<Registration> {
  const registration = new KeptRegistration(registry, service, options);
  await registration.start();
  return registration;
}

class KeptRegistration implements Registration {
  readonly #registry: Registry;
  readonly #ttlMs: number;
  readonly #intervalMs: number;
  readonly #standing: boolean;
  readonly #onError: (error: BrokerError) => void;
  readonly #clock: Clock;
  #service: Service;
  /** What was registered before, whose nodes are removed after the next success unless they are still there. */
  #leftovers: Service[] = [];
  #timer: Timer | undefined;
  #retryMs = MIN_RETRY_MS;
  #stopped: Promise<void> | undefined;
  /** One call at a time: a registration must not overtake the removal that follows it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(registry: Registry, service: Service, options: KeepRegisteredOptions) {
    this.#registry = registry;
    this.#service = service;
    this.#ttlMs = checkDuration("ttlMs", options.ttlMs ?? DEFAULT_TTL_MS);
    this.#intervalMs = checkDuration("intervalMs", options.intervalMs ?? DEFAULT_REGISTER_INTERVAL_MS);
    if (this.#intervalMs >= this.#ttlMs) {
      throw new BrokerError(
        "ERR_INVALID_OPTION",
        `intervalMs (${this.#intervalMs}) must be shorter than ttlMs (${this.#ttlMs}).`,
      );
    }
    this.#standing = options.standing ?? false;
    this.#onError = options.onError;
    this.#clock = options.clock ?? backgroundClock;
  }

  async start(): Promise<void> {
    await this.#register();
    this.#schedule(this.#intervalMs);
  }

  async update(service: Service): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#stopped !== undefined) {
        throw new BrokerError("ERR_REGISTRY", `The registration of ${this.#service.name} has been stopped.`, {
          retryable: false,
        });
      }
      const former = this.#service;
      this.#service = service;
      this.#leftovers.push(former);
      try {
        await this.#attempt();
      } catch (error) {
        if (error instanceof BrokerError && !error.retryable) {
          // Trying the same again would let the former record expire for nothing.
          this.#service = former;
        }
        throw error;
      }
    });
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#inTurn(async () => {
      this.#timer?.cancel();
      if (this.#standing) return;
      for (const service of [this.#service, ...this.#leftovers]) await this.#registry.deregister(service);
    });
    return this.#stopped;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    // A failure is its own caller's; the next call does not depend on it.
    const run = this.#last.then(work, work);
    this.#last = run;
    return run;
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel();
    if (this.#stopped !== undefined) return;
    this.#timer = this.#clock.after(delayMs, () => {
      this.#inTurn(() => this.#attempt()).catch((error: unknown) =>
        this.#onError(wrapError(error, "ERR_REGISTRY", `Could not keep ${this.#service.name} registered`)),
      );
    });
  }

  async #attempt(): Promise<void> {
    if (this.#stopped !== undefined) return;
    try {
      await this.#register();
      this.#retryMs = MIN_RETRY_MS;
      this.#schedule(this.#intervalMs);
    } catch (error) {
      this.#schedule(Math.min(this.#retryMs, this.#intervalMs));
      this.#retryMs *= 2;
      throw error;
    }
  }

  async #register(): Promise<void> {
    await this.#registry.register(this.#service, { ttlMs: this.#ttlMs, standing: this.#standing });
    const kept = new Set(this.#service.nodes.map((node) => recordKey(this.#service, node)));
    for (const old of this.#leftovers) {
      const nodes = old.nodes.filter((node) => !kept.has(recordKey(old, node)));
      if (nodes.length > 0 && !this.#standing) await this.#registry.deregister({ ...old, nodes });
    }
    this.#leftovers = [];
  }
}
