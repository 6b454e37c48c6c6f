import { randomUUID } from "node:crypto";
import type { Clock } from "../../internal/clock.ts";
import { type Deferred, deferred } from "../../internal/deferred.ts";
import { delay } from "../../internal/wait.ts";
import type { Received } from "./native-message.ts";
import { StreamLog, type StreamLogHost } from "./stream-log.ts";

/** How long a message that came back without an excuse waits for one: a process that was cut off needs to connect again. */
const GRACE_MS = 2_500;

/** How many excuses of one queue are remembered. */
const MAX_REMEMBERED = 1_000;

/** How far the clocks of publishers and members may be apart, in milliseconds. */
const CLOCKS_MS = 5_000;

/** What tells how often a copy came back. */
export type Returned = Pick<Received, "publishedAt" | "returns">;

/**
 * Tells a message that came back from a process that lives from one that its process died with. RabbitMQ counts both alike
 * (`x-delivery-count`), and also what it had only sent ahead: a member that leaves, or was cut off and is back, writes an
 * excuse, which holds once for every message of the queue that was published before. What came back without an excuse, a
 * process took down with it.
 */
export class Excuses {
  readonly #log: StreamLog;
  readonly #clock: Clock;
  /** When members left or were cut off, by queue. */
  readonly #excuses = new Map<string, number[]>();
  /** Entries of this process, which it knows already when it reads them. */
  readonly #own = new Set<string>();
  readonly #stopped = new AbortController();
  /** Who waits for an entry. */
  readonly #readers = new Set<Deferred<void>>();

  constructor(host: Omit<StreamLogHost, "kind" | "onEntry">, clock: Clock) {
    this.#clock = clock;
    this.#log = new StreamLog({ ...host, kind: "excuses", onEntry: (entry) => this.#read(entry) });
  }

  /** A member of a queue has left, or was cut off and lives: resolves when everybody can know. */
  async write(queue: string): Promise<void> {
    const nonce = randomUUID();
    const at = this.#clock.now();
    this.#note(queue, at);
    this.#own.add(nonce);
    await this.#log.append({ queue, at, nonce });
  }

  /** How many of the returns of a copy nobody has excused, as far as this process has read. */
  unexcused(queue: string, { publishedAt, returns }: Returned): number {
    const excuses = this.#excuses.get(queue)?.filter((at) => at + CLOCKS_MS >= publishedAt).length ?? 0;
    return Math.max(0, returns - excuses);
  }

  /** Resolves when everything written so far has been read. */
  async sync(): Promise<void> {
    await this.#log.sync();
  }

  /**
   * How many of the returns of a copy nobody excuses: the deaths that it has seen. Waits a moment for an excuse that is on
   * its way.
   * @param signal ends the waiting; what is not excused by then counts.
   */
  async deaths(queue: string, returned: Returned, signal: AbortSignal): Promise<number> {
    const either = AbortSignal.any([signal, this.#stopped.signal]);
    const deadlineAt = this.#clock.now() + GRACE_MS;
    for (;;) {
      const left = this.unexcused(queue, returned);
      if (left === 0 || either.aborted || this.#clock.now() >= deadlineAt) return left;
      const news = deferred<void>();
      this.#readers.add(news);
      try {
        await Promise.race([news.promise, delay(this.#clock, deadlineAt - this.#clock.now(), either)]);
      } catch (error) {
        if (!either.aborted) throw error;
      } finally {
        this.#readers.delete(news);
      }
    }
  }

  /** Ends all waiting. */
  stop(): void {
    this.#stopped.abort();
  }

  #read({ queue, at, nonce }: Record<string, unknown>): void {
    if (typeof nonce === "string" && this.#own.delete(nonce)) return;
    if (typeof queue === "string" && typeof at === "number") this.#note(queue, at);
  }

  #note(queue: string, at: number): void {
    const excuses = this.#excuses.get(queue) ?? [];
    excuses.push(at);
    if (excuses.length > MAX_REMEMBERED) excuses.shift();
    this.#excuses.set(queue, excuses);
    for (const reader of this.#readers) reader.resolve();
  }
}
