/** Who waits for something that changes now and then. */
export class Watchers {
  #watchers: (() => void)[] = [];

  /**
   * Resolves when `condition` holds; it is looked at now and at every `notify`. Rejects with the signal's reason when that is
   * aborted first: then it is not looked at any more.
   */
  when(condition: () => boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const leave = () => {
        this.#watchers = this.#watchers.filter((watcher) => watcher !== check);
        signal?.removeEventListener("abort", abort);
      };
      const check = () => {
        if (!condition()) return;
        leave();
        resolve();
      };
      const abort = () => {
        leave();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#watchers.push(check);
      check();
    });
  }

  /** Something has changed. */
  notify(): void {
    if (this.#watchers.length > 0) for (const watcher of [...this.#watchers]) watcher();
  }
}
