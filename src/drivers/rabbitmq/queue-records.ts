import { StreamLog, type StreamLogHost } from "./stream-log.ts";

/** After this many bytes of entries everything still recorded is written again, so that it outlives the stream's bounds. */
const REWRITE_BYTES = 8_000_000;

/** A queue that somebody made. */
export interface QueueRecord {
  readonly topic: string;
  readonly queue: string;
}

/**
 * Which queues and standing queues there are. AMQP can make, count and remove a queue, but not list them: each that is made or
 * removed is recorded in a stream, which whoever wants to know reads.
 */
export class QueueRecords {
  readonly #log: StreamLog;
  readonly #records = new Map<string, QueueRecord>();
  /** Dead-letter topics. */
  readonly #standing = new Set<string>();
  /** Dead-letter topics that this process has recorded. */
  readonly #told = new Map<string, Promise<void>>();
  #bytes = 0;

  constructor(host: Omit<StreamLogHost, "kind" | "onEntry">) {
    this.#log = new StreamLog({ ...host, kind: "records", onEntry: (entry, bytes) => this.#read(entry, bytes) });
  }

  /** Records a queue before it is made. */
  async add({ topic, queue }: QueueRecord): Promise<void> {
    await this.#log.append({ add: [topic, queue] });
  }

  /** Records that a queue is gone. */
  async remove({ topic, queue }: QueueRecord): Promise<void> {
    await this.#log.append({ remove: [topic, queue] });
  }

  /** Records the standing queue of a dead-letter topic before it is made; once a process. */
  addStanding(topic: string): Promise<void> {
    let told = this.#told.get(topic);
    if (told === undefined) {
      told = this.#log.append({ standing: topic });
      this.#told.set(topic, told);
      // The caller has the error; the next one tries again.
      told.catch(() => this.#told.delete(topic));
    }
    return told;
  }

  /** Every queue that is recorded, by any process. */
  async list(): Promise<QueueRecord[]> {
    await this.#sync();
    return [...this.#records.values()];
  }

  /** Every dead-letter topic whose standing queue is recorded, by any process. */
  async listStanding(): Promise<string[]> {
    await this.#sync();
    return [...this.#standing];
  }

  async #sync(): Promise<void> {
    await this.#log.sync();
    if (this.#bytes <= REWRITE_BYTES) return;
    this.#bytes = 0;
    for (const record of [...this.#records.values()]) await this.add(record);
    for (const topic of [...this.#standing]) await this.#log.append({ standing: topic });
  }

  #read(entry: Record<string, unknown>, bytes: number): void {
    this.#bytes += bytes;
    const added = pairOf(entry["add"]);
    if (added !== undefined) this.#records.set(keyOf(added), added);
    const removed = pairOf(entry["remove"]);
    if (removed !== undefined) this.#records.delete(keyOf(removed));
    if (typeof entry["standing"] === "string") this.#standing.add(entry["standing"]);
  }
}

function pairOf(value: unknown): QueueRecord | undefined {
  if (!Array.isArray(value)) return undefined;
  const [topic, queue] = value as unknown[];
  return typeof topic === "string" && typeof queue === "string" ? { topic, queue } : undefined;
}

function keyOf({ topic, queue }: QueueRecord): string {
  return `${topic}\n${queue}`;
}
