import type { Clock, Timer } from "../internal/clock.ts";
import type { Registry, Watcher } from "../registry.ts";
import type { RegistryListener } from "./listeners.ts";

const MIN_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

/** What a {@link KeptWatch} reports to. */
export interface KeptWatchHandlers {
  readonly onEvent: RegistryListener;
  /** The watch stands; what changed before may have been missed. */
  readonly onOpen: () => void;
  /** An attempt failed; the next one follows. */
  readonly onError: (error: unknown) => void;
}

/** One watch on all of a registry, attempted again (after 1 s, doubled up to 30 s) until it stands. */
export class KeptWatch {
  readonly #registry: Registry;
  readonly #handlers: KeptWatchHandlers;
  readonly #clock: Clock;
  #watcher: Watcher | undefined;
  #attempt: Promise<void> | undefined;
  #retry: Timer | undefined;
  #delayMs = MIN_RETRY_MS;
  #closed = false;

  constructor(registry: Registry, handlers: KeptWatchHandlers, clock: Clock) {
    this.#registry = registry;
    this.#handlers = handlers;
    this.#clock = clock;
  }

  /** Whether changes are being reported. */
  get isOpen(): boolean {
    return this.#watcher !== undefined;
  }

  /** Sees to it that the watch stands sooner or later. */
  start(): void {
    if (this.#retry !== undefined || this.#attempt !== undefined) return;
    this.open().catch(() => {
      // It has been reported, and the next attempt is due.
    });
  }

  /** Resolves when the watch stands; rejects with the registry's error when the present attempt fails. */
  async open(): Promise<void> {
    if (this.isOpen || this.#closed) return;
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#attempt ??= this.#try();
    await this.#attempt;
  }

  /** Ends the watch for good. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  async #try(): Promise<void> {
    try {
      const watcher = await this.#registry.watch((event) => {
        if (!this.#closed) this.#handlers.onEvent(event);
      });
      if (this.#closed) {
        watcher.close();
        return;
      }
      this.#watcher = watcher;
      this.#delayMs = MIN_RETRY_MS;
      this.#handlers.onOpen();
    } catch (error) {
      if (!this.#closed) {
        this.#retry = this.#clock.after(this.#delayMs, () => {
          this.#retry = undefined;
          this.start();
        });
        this.#delayMs = Math.min(this.#delayMs * 2, MAX_RETRY_MS);
        this.#handlers.onError(error);
      }
      throw error;
    } finally {
      this.#attempt = undefined;
    }
  }
}
