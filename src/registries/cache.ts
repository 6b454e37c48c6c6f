import { type BrokerError, wrapError } from "../errors.ts";
import type { Clock } from "../internal/clock.ts";
import type { RegisterOptions, Registry, RegistryEvent, Service, Watcher } from "../registry.ts";
import { backgroundClock } from "./background-clock.ts";
import { CachedLookup } from "./cached-lookup.ts";
import { KeptWatch } from "./kept-watch.ts";
import { Listeners, type RegistryListener } from "./listeners.ts";
import { checkDuration } from "./records.ts";

const DEFAULT_CACHE_TTL_MS = 60_000;
const MAX_NAMES = 10_000;

/** Options of {@link cache}. */
export interface CacheOptions {
  /** How long an answer is served before the registry is asked again, in milliseconds. Default 60,000. */
  ttlMs?: number;
  /** Hears of failures of the registry that no caller sees, because stale data are served or the watch is restored. Default: nobody. */
  onError?: (error: BrokerError) => void;
  /** Where the time comes from. Default: the system's, with timers that do not keep the process alive. */
  clock?: Clock;
}

/** A registry served from memory. */
export interface CachedRegistry extends Registry {
  /**
   * Releases the watch on the registry underneath and forgets what is cached. The watches on the cache end; later calls
   * go straight to the registry underneath. Idempotent.
   */
  close(): void;
}

/**
 * Serves look-ups of any registry from memory. It watches the registry from the first look-up or watch until `close`, so
 * that a change is seen at once: after an event, or a `register` or `deregister` through this object, the next look-up
 * asks the registry. Without a change the registry is asked again after `ttlMs`. Callers who ask for the same name at
 * the same time share one question. While the registry fails, the last answer is served, and look-ups of names that
 * were never answered reject with the registry's error. That a service has no nodes is only remembered while the watch
 * stands. A watch that cannot be opened is tried again after 1 s, doubled up to 30 s. At most 10,000 names are kept.
 * Throws `ERR_INVALID_OPTION` for a `ttlMs` that is not a positive number.
 */
export function cache(registry: Registry, options: CacheOptions = {}): CachedRegistry {
  return new Cache(registry, options);
}

class Cache implements CachedRegistry {
  readonly name: string;
  readonly sharedWithGoMicro: boolean;
  readonly #registry: Registry;
  readonly #ttlMs: number;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  readonly #listeners = new Listeners();
  readonly #lookups = new Map<string, CachedLookup>();
  readonly #list: CachedLookup;
  readonly #watch: KeptWatch;
  #closed = false;

  constructor(registry: Registry, options: CacheOptions) {
    this.name = registry.name;
    this.sharedWithGoMicro = registry.sharedWithGoMicro;
    this.#registry = registry;
    this.#ttlMs = checkDuration("ttlMs", options.ttlMs ?? DEFAULT_CACHE_TTL_MS);
    this.#clock = options.clock ?? backgroundClock;
    this.#onError = (error) =>
      options.onError?.(wrapError(error, "ERR_REGISTRY", `The registry ${registry.name} failed behind its cache`));
    this.#list = this.#lookup(() => registry.listServices());
    this.#watch = new KeptWatch(
      registry,
      { onEvent: (event) => this.#onEvent(event), onOpen: () => this.#invalidateAll(), onError: this.#onError },
      this.#clock,
    );
  }

  async register(service: Service, options?: RegisterOptions): Promise<void> {
    try {
      await this.#registry.register(service, options);
    } finally {
      this.#invalidate(service.name);
    }
  }

  async deregister(service: Service): Promise<void> {
    try {
      await this.#registry.deregister(service);
    } finally {
      this.#invalidate(service.name);
    }
  }

  async getService(name: string): Promise<Service[]> {
    if (this.#closed) return this.#registry.getService(name);
    this.#startWatch();
    return [...(await this.#lookupOf(name).get())];
  }

  async listServices(): Promise<Service[]> {
    if (this.#closed) return this.#registry.listServices();
    this.#startWatch();
    return [...(await this.#list.get())];
  }

  async watch(listener: RegistryListener, options?: { service?: string }): Promise<Watcher> {
    if (!this.#closed) await this.#watch.open();
    // It may have been closed while the watch was being opened.
    if (this.#closed) return this.#registry.watch(listener, options);
    return this.#listeners.add(listener, options?.service);
  }

  async secret(): Promise<Uint8Array | undefined> {
    return this.#registry.secret?.();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.close();
    this.#listeners.clear();
    this.#invalidateAll();
    this.#lookups.clear();
  }

  #startWatch(): void {
    if (!this.#watch.isOpen) this.#watch.start();
  }

  #onEvent(event: RegistryEvent): void {
    // First, so that a look-up by a listener sees the change.
    this.#invalidate(event.service.name);
    this.#listeners.emit(event);
  }

  #invalidate(name: string): void {
    this.#lookups.get(name)?.invalidate();
    this.#list.invalidate();
  }

  #invalidateAll(): void {
    for (const lookup of this.#lookups.values()) lookup.invalidate();
    this.#list.invalidate();
  }

  #lookupOf(name: string): CachedLookup {
    const known = this.#lookups.get(name);
    if (known !== undefined) return known;
    const lookup = this.#lookup(() => this.#registry.getService(name));
    this.#lookups.set(name, lookup);
    if (this.#lookups.size > MAX_NAMES) {
      const [oldest] = this.#lookups.keys();
      if (oldest !== undefined) this.#lookups.delete(oldest);
    }
    return lookup;
  }

  #lookup(fetch: () => Promise<Service[]>): CachedLookup {
    return new CachedLookup({
      fetch,
      ttlMs: this.#ttlMs,
      isWatched: () => this.#watch.isOpen,
      onError: this.#onError,
      clock: this.#clock,
    });
  }
}
