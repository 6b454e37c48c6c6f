import { type BrokerError, wrapError } from "../errors.ts";
import { type Clock, systemClock, type Timer } from "../internal/clock.ts";
import { DEFAULT_REGISTER_INTERVAL_MS, DEFAULT_TTL_MS, type Registry, type Service } from "../registry.ts";

/** When and whether a service is in the registry. */
export interface RegistrationOptions {
  /** How long the record holds without being registered again, in milliseconds. Default 60,000. */
  registerTtlMs?: number | undefined;
  /** How often it is registered again, and the check made, in milliseconds. Default 30,000. */
  registerIntervalMs?: number | undefined;
  /** Whether the service is well: one that is not leaves the registry until it is. False and an error both say that it is not. */
  registerCheck?: (() => boolean | undefined | Promise<boolean | undefined>) | undefined;
  /** Hears of failures to register, and of failing checks. */
  onError: (error: BrokerError) => void;
  clock?: Clock | undefined;
}

/** Keeps a service in the registry while it runs and is well. */
export class ServiceRegistration {
  readonly #registry: Registry;
  readonly #record: () => Service;
  readonly #options: RegistrationOptions;
  readonly #clock: Clock;
  #registered: Service | undefined;
  #timer: Timer | undefined;
  #working: Promise<void> = Promise.resolve();
  #stopped = false;

  /** @param record what to register: asked for anew each time, so that a changed service shows. */
  constructor(registry: Registry, record: () => Service, options: RegistrationOptions) {
    this.#registry = registry;
    this.#record = record;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Registers for the first time; rejects where that fails. A service whose check fails starts unregistered. */
  async start(): Promise<void> {
    await this.#refreshNext();
    this.#arm();
  }

  /** Registers what has changed. Failures are reported, and tried again at the next interval. */
  async update(): Promise<void> {
    await this.#safely();
  }

  /** Leaves the registry. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#working;
    await this.#leave();
  }

  #arm(): void {
    if (this.#stopped) return;
    this.#timer = this.#clock.after(this.#options.registerIntervalMs ?? DEFAULT_REGISTER_INTERVAL_MS, () => {
      void this.#safely().then(() => this.#arm());
    });
  }

  async #safely(): Promise<void> {
    try {
      await this.#refreshNext();
    } catch (error) {
      this.#options.onError(wrapError(error, "ERR_REGISTRY", "Registering the service failed; it is tried again"));
    }
  }

  // One at a time: a slow registration must not come after a newer one, nor after the deregistration that follows it.
  #refreshNext(): Promise<void> {
    const done = this.#working.then(async () => {
      if (!this.#stopped) await this.#refresh();
    });
    this.#working = done.catch(() => {
      // Told to the caller; here it only has to be over.
    });
    return done;
  }

  async #refresh(): Promise<void> {
    if (!(await this.#isWell())) return this.#leave();
    const record = this.#record();
    await this.#registry.register(record, { ttlMs: this.#options.registerTtlMs ?? DEFAULT_TTL_MS });
    this.#registered = record;
  }

  async #leave(): Promise<void> {
    const record = this.#registered;
    if (record === undefined) return;
    await this.#registry.deregister(record);
    this.#registered = undefined;
  }

  async #isWell(): Promise<boolean> {
    const { registerCheck, onError } = this.#options;
    if (registerCheck === undefined) return true;
    try {
      return (await registerCheck()) !== false;
    } catch (error) {
      onError(wrapError(error, "ERR_REGISTRY", "The service's check failed, so that it is not in the registry"));
      return false;
    }
  }
}
