import { type FSWatcher, statSync, watch } from "node:fs";
import { basename } from "node:path";
import type { Timer } from "../../internal/clock.ts";
import { backgroundClock } from "../background-clock.ts";

/** How often the monitor looks for ended processes and expired records. */
const CHECK_INTERVAL_MS = 500;
/** Every how many checks the folder is read again, whatever the system has reported: every 5 s. */
const CHECKS_PER_RESCAN = 10;
/** How long a change waits for others, so that a burst is read once. */
const DEBOUNCE_MS = 10;

/** Calls back when the folder may have changed. Never keeps the process alive. */
export class Monitor {
  readonly #path: string;
  readonly #isStale: () => boolean;
  readonly #onChange: () => void;
  #watcher: FSWatcher | undefined;
  #inode: bigint | undefined;
  #debounce: Timer | undefined;
  #check: Timer | undefined;
  #checks = 0;

  /** `isStale` is asked every 500 ms whether what was last read is out of date by itself. */
  constructor(path: string, isStale: () => boolean, onChange: () => void) {
    this.#path = path;
    this.#isStale = isStale;
    this.#onChange = onChange;
  }

  /** Starts to report. What changes after this call is reported. Idempotent. */
  start(): void {
    if (this.#check !== undefined) return;
    this.#watch();
    this.#schedule();
  }

  /** Stops reporting. Idempotent. */
  close(): void {
    this.#check?.cancel();
    this.#check = undefined;
    this.#debounce?.cancel();
    this.#debounce = undefined;
    this.#unwatch();
  }

  #schedule(): void {
    this.#check = backgroundClock.after(CHECK_INTERVAL_MS, () => {
      this.#schedule();
      this.#checks += 1;
      const rescan = this.#checks % CHECKS_PER_RESCAN === 0;
      if (rescan) this.#rewatch();
      if (rescan || this.#watcher === undefined || this.#isStale()) this.#onChange();
    });
  }

  #watch(): void {
    try {
      this.#inode = statSync(this.#path, { bigint: true }).ino;
      const watcher = watch(this.#path, { persistent: false }, (_type, name) => this.#onEvent(name));
      // From here on every check reads the folder, until the next rescan watches it again.
      watcher.on("error", () => this.#unwatch());
      this.#watcher = watcher;
    } catch {
      // The folder is gone, or the system has no more watches to give: then every check reads the folder.
      this.#unwatch();
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** A folder that was removed and made again is another one, which the old watch does not see. */
  #rewatch(): void {
    const inode = this.#inodeNow();
    if (this.#watcher !== undefined && inode === this.#inode) return;
    this.#unwatch();
    if (inode !== undefined) this.#watch();
  }

  #inodeNow(): bigint | undefined {
    try {
      return statSync(this.#path, { bigint: true, throwIfNoEntry: false })?.ino;
    } catch {
      // It cannot be looked at, for one because what it lies in is closed to this user now: as good as gone.
      return undefined;
    }
  }

  #onEvent(name: string | null): void {
    // Temporary files and the secret come and go without a change of any record.
    const isFolder = name === basename(this.#path);
    if (name !== null && !name.endsWith(".json") && !isFolder) return;
    // Perhaps it is removed: one made in its place may have its number again, but is not watched by this.
    if (isFolder) this.#unwatch();
    this.#debounce ??= backgroundClock.after(DEBOUNCE_MS, () => {
      this.#debounce = undefined;
      this.#onChange();
    });
  }
}
