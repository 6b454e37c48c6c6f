import { AsyncLocalStorage, createHook } from "node:async_hooks";

interface Referenced {
  hasRef?: () => boolean;
}

/** Immediates end by themselves at the next turn. */
const PASSING = new Set(["Immediate"]);

/**
 * Tells which timers, sockets, servers and watchers that some work made, however indirectly, still keep the process alive.
 * What others in the process do meanwhile is not counted.
 */
export class ResourceTracker {
  readonly #mine = new AsyncLocalStorage<true>();
  readonly #found = new Map<number, { readonly type: string; readonly resource: Referenced }>();
  readonly #hook = createHook({
    init: (id, type, _trigger, resource: Referenced) => {
      if (this.#mine.getStore() === undefined || PASSING.has(type)) return;
      if (typeof resource.hasRef === "function") this.#found.set(id, { type, resource });
    },
    destroy: (id) => {
      this.#found.delete(id);
    },
  });

  constructor() {
    this.#hook.enable();
  }

  /** Runs work whose resources are counted. */
  run<T>(work: () => Promise<T>): Promise<T> {
    return this.#mine.run(true, work);
  }

  /** The kinds of resources that the work left and that keep the process alive. */
  get alive(): string[] {
    return [...this.#found.values()].filter(({ resource }) => resource.hasRef?.() === true).map(({ type }) => type);
  }

  /** Ends the counting. Idempotent. */
  stop(): void {
    this.#hook.disable();
    this.#found.clear();
  }
}
