/** Who waits for something that changes now and then. */
export class Watchers {
  #watchers: (() => void)[] = [];

  /** Resolves when `condition` holds; it is looked at now and at every `notify`. */
  when(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!condition()) return;
        this.#watchers = this.#watchers.filter((watcher) => watcher !== check);
        resolve();
      };
      this.#watchers.push(check);
      check();
    });
  }

  /** Something has changed. */
  notify(): void {
    if (this.#watchers.length > 0) for (const watcher of [...this.#watchers]) watcher();
  }
}
