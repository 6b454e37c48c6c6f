import type { RegistryEvent, Watcher } from "../registry.ts";

/** Receives the changes of a registry. */
export type RegistryListener = (event: RegistryEvent) => void;

interface Subscription {
  readonly listener: RegistryListener;
  readonly service: string | undefined;
}

/** The watchers of one registry. */
export class Listeners {
  readonly #subscriptions = new Set<Subscription>();

  /** How many watches are open. */
  get size(): number {
    return this.#subscriptions.size;
  }

  /** Adds a listener for one service name, or for all. `onClose` is called once, when its watch is closed. */
  add(listener: RegistryListener, service: string | undefined, onClose?: () => void): Watcher {
    const subscription: Subscription = { listener, service };
    this.#subscriptions.add(subscription);
    return {
      close: () => {
        if (this.#subscriptions.delete(subscription)) onClose?.();
      },
    };
  }

  /** Tells everybody concerned, in the order they came. A listener that throws does not keep the others from hearing. */
  emit(event: RegistryEvent): void {
    for (const subscription of [...this.#subscriptions]) {
      // A listener may close other watches, and a closed one must not be called again.
      if (!this.#subscriptions.has(subscription)) continue;
      if (subscription.service !== undefined && subscription.service !== event.service.name) continue;
      try {
        subscription.listener(event);
      } catch (error) {
        // It is a bug of the listener's owner: it surfaces as an uncaught exception, not as a failure of the registry.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** Forgets everybody. */
  clear(): void {
    this.#subscriptions.clear();
  }
}
