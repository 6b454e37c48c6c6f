import type { Clock } from "../internal/clock.ts";
import type { Service } from "../registry.ts";

/** How long stale data are served without asking again after the registry has failed. */
const RETRY_MS = 1_000;

/** What a {@link CachedLookup} needs. */
export interface CachedLookupOptions {
  /** Asks the registry. */
  readonly fetch: () => Promise<Service[]>;
  /** After this time the registry is asked again, in milliseconds. */
  readonly ttlMs: number;
  /** Whether a watch would report a change. */
  readonly isWatched: () => boolean;
  /** Hears of failures that callers do not see, because they get stale data. */
  readonly onError: (error: unknown) => void;
  readonly clock: Clock;
}

/** One question to a registry and its last answer. */
export class CachedLookup {
  readonly #options: CachedLookupOptions;
  #services: Service[] | undefined;
  #fetchedAt = 0;
  #isFresh = false;
  #retryAt = 0;
  #flight: Promise<Service[]> | undefined;

  constructor(options: CachedLookupOptions) {
    this.#options = options;
  }

  /** The answer, from memory where it is current; asked once for all who ask meanwhile. Rejects as the registry does. */
  async get(): Promise<Service[]> {
    const { clock, ttlMs, isWatched, onError } = this.#options;
    const known = this.#usable();
    if (known === undefined) return this.#refresh();
    const now = clock.now();
    if (this.#isFresh && now - this.#fetchedAt < ttlMs) return known;
    if (now < this.#retryAt) return known;
    if (!this.#isFresh || !isWatched()) return this.#refresh();
    // The watch would have told of a change: asking again is a precaution that nobody needs to wait for.
    this.#refresh().catch(onError);
    return known;
  }

  /** The answer has changed: whoever asks from now on gets a new one, also while an older question is on its way. */
  invalidate(): void {
    this.#isFresh = false;
    this.#retryAt = 0;
    this.#flight = undefined;
  }

  /** An empty answer counts only while a watch would tell of the first subscriber. */
  #usable(): Service[] | undefined {
    if (this.#services === undefined) return undefined;
    return this.#services.length > 0 || this.#options.isWatched() ? this.#services : undefined;
  }

  #refresh(): Promise<Service[]> {
    if (this.#flight !== undefined) return this.#flight;
    const { clock, onError } = this.#options;
    const isCurrent = (): boolean => this.#flight === flight;
    const flight: Promise<Service[]> = this.#fetch().then(
      (services) => {
        if (!isCurrent()) return services;
        this.#flight = undefined;
        this.#services = services;
        this.#fetchedAt = clock.now();
        this.#isFresh = true;
        return services;
      },
      (error: unknown) => {
        if (isCurrent()) {
          this.#flight = undefined;
          this.#retryAt = clock.now() + RETRY_MS;
        }
        const stale = this.#usable();
        if (stale === undefined) throw error;
        onError(error);
        return stale;
      },
    );
    this.#flight = flight;
    return flight;
  }

  async #fetch(): Promise<Service[]> {
    return this.#options.fetch();
  }
}
