import { randomUUID } from "node:crypto";
import { type Clock, wallTime } from "../../internal/clock.ts";
import { type Deferred, deferred } from "../../internal/deferred.ts";
import { abortable, before } from "../../internal/wait.ts";
import type { Received } from "./native-message.ts";
import { StreamLog, type StreamLogHost } from "./stream-log.ts";

/** How long a message that came back without an excuse waits for one: a process that was cut off needs to connect again. */
const GRACE_MS = 2_500;

/** How many excuses of one queue are remembered, and of how many queues: those that were excused last. */
const MAX_REMEMBERED = 1_000;
const MAX_QUEUES = 10_000;

/** How far the clocks of publishers and members may be apart, in milliseconds. */
const CLOCKS_MS = 5_000;

/**
 * How long ago somebody left who may excuse a message of which nobody knows when it was published, in milliseconds: who left before
 * that has hardly given it back.
 */
const UNKNOWN_AGE_MS = 60_000;

/** What tells how often a copy came back. */
export type Returned = Pick<Received, "publishedAt" | "returns">;

/** A message that waits for an excuse. */
interface Waiter {
  readonly queue: string;
  readonly returned: Returned;
  /** Resolves when all its returns are excused. */
  readonly excused: Deferred<void>;
}

/**
 * Tells a message that came back from a process that lives from one that its process died with. RabbitMQ counts both alike
 * (`x-delivery-count`), and also what it had only sent ahead: a member that leaves, or was cut off and is back, writes an
 * excuse, which holds once for every message of the queue that was published before. What came back without an excuse, a
 * process took down with it.
 */
export class Excuses {
  readonly #log: StreamLog;
  readonly #clock: Clock;
  /** When members left or were cut off, by queue, the queue that was excused last at the end. */
  readonly #excuses = new Map<string, number[]>();
  /** Marks its own entries, which it knows without reading them: what a cut gave back needs no look. */
  readonly #self = randomUUID();
  readonly #waiters = new Set<Waiter>();

  constructor(host: Omit<StreamLogHost, "kind" | "onEntry">) {
    this.#clock = host.clock;
    this.#log = new StreamLog({ ...host, kind: "excuses", onEntry: (entry) => this.#read(entry) });
  }

  /** Makes what excuses need: not at the first cut, when a cluster may lack the nodes for it. */
  async prepare(): Promise<void> {
    await this.#log.prepare();
  }

  /** A member of a queue has left, or was cut off and lives: resolves when everybody can know. */
  async write(queue: string): Promise<void> {
    const at = wallTime(this.#clock);
    await this.#log.append({ queue, at, by: this.#self });
    this.#note(queue, at);
  }

  /** How many of the returns of a copy nobody has excused, as far as this process has read. */
  unexcused(queue: string, { publishedAt, returns }: Returned): number {
    const since = publishedAt === 0 ? wallTime(this.#clock) - UNKNOWN_AGE_MS : publishedAt;
    const excuses = this.#excuses.get(queue)?.filter((at) => at + CLOCKS_MS >= since).length ?? 0;
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
    if (this.unexcused(queue, returned) > 0 && !signal.aborted) {
      const waiter: Waiter = { queue, returned, excused: deferred() };
      this.#waiters.add(waiter);
      // Many messages may wait at once: each listens to a signal of its own.
      const own = AbortSignal.any([signal]);
      try {
        await before(this.#clock, this.#clock.now() + GRACE_MS, abortable(waiter.excused.promise, own));
      } catch (error) {
        if (!own.aborted) throw error;
      } finally {
        this.#waiters.delete(waiter);
        waiter.excused.resolve();
      }
    }
    return this.unexcused(queue, returned);
  }

  #read({ queue, at, by }: Record<string, unknown>): void {
    if (by !== this.#self && typeof queue === "string" && typeof at === "number") this.#note(queue, at);
  }

  #note(queue: string, at: number): void {
    const excuses = this.#excuses.get(queue) ?? [];
    excuses.push(at);
    if (excuses.length > MAX_REMEMBERED) excuses.shift();
    this.#excuses.delete(queue);
    this.#excuses.set(queue, excuses);
    const [longest] = this.#excuses.keys();
    if (this.#excuses.size > MAX_QUEUES && longest !== undefined) this.#excuses.delete(longest);
    for (const waiter of this.#waiters)
      if (waiter.queue === queue && this.unexcused(queue, waiter.returned) === 0) waiter.excused.resolve();
  }
}
