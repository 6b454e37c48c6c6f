import type { RegistryRecord } from "../records.ts";

/** When the question is asked again, as a part of the time for answers: a packet may get lost. */
const REPEAT_AT = 0.4;

/** How long answers must have ceased, as a part of the time for answers, and how often that is waited for at most. */
const QUIET = { part: 0.3, most: 5 };

/** One question on its way: it gathers the answers that come in time. */
export class Lookup {
  /** The nodes that answered, by key. */
  readonly records: Map<string, RegistryRecord> = new Map<string, RegistryRecord>();
  /** The services that were named. */
  readonly services: Set<string> = new Set<string>();
  readonly #maxRecords: number;
  /** Nodes that took their leave meanwhile. */
  readonly #gone = new Set<string>();
  #lastNews = 0;

  constructor(maxRecords: number) {
    this.#maxRecords = maxRecords;
  }

  /**
   * Asks, asks again in case a packet was lost, and waits: `waitMs`, and longer while new answers keep coming.
   * @param ask sends the question; the second time by every way. Rejects where it cannot be sent at all
   */
  async run(waitMs: number, ask: (again: boolean) => Promise<void>): Promise<void> {
    await ask(false);
    await sleep(waitMs * REPEAT_AT);
    await ask(true);
    await sleep(waitMs * (1 - REPEAT_AT));
    for (let times = 0; times < QUIET.most && performance.now() - this.#lastNews < waitMs * QUIET.part; times += 1)
      await sleep(waitMs * QUIET.part);
  }

  /**
   * Adds a node. Returns whether it is believed: not where it answers the question, but has left since.
   * @param answers whether it answers; otherwise it announces itself just now
   */
  add(key: string, record: RegistryRecord, answers: boolean): boolean {
    if (answers && this.#gone.has(key)) return false;
    if (!this.records.has(key)) {
      if (this.records.size >= this.#maxRecords) return false;
      this.#lastNews = performance.now();
    }
    this.records.set(key, record);
    return true;
  }

  /** Adds names of services. */
  addServices(names: readonly string[]): void {
    for (const name of names) {
      if (this.services.has(name) || this.services.size >= this.#maxRecords) continue;
      this.#lastNews = performance.now();
      this.services.add(name);
    }
  }

  /** A node has left: answers that it gave before come too late. */
  forget(key: string): void {
    this.records.delete(key);
    this.#gone.add(key);
  }
}

// The caller waits for it: unlike the sockets it keeps the process alive.
function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, durationMs);
  });
}
