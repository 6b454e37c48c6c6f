import { StreamLog, type StreamLogHost } from "./stream-log.ts";

/** After this many bytes of entries everything still recorded is written again, so that it outlives the stream's bounds. */
const REWRITE_BYTES = 8_000_000;

/** A queue that somebody made. */
export interface QueueRecord {
  readonly topic: string;
  readonly queue: string;
}

/**
 * Which queues there are. AMQP can make, count and remove a queue, but not list them: each that is made or removed is recorded
 * in a stream, which whoever wants to know reads.
 */
export class QueueRecords {
  readonly #log: StreamLog;
  readonly #records = new Map<string, QueueRecord>();
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

  /** Every queue that is recorded, by any process. */
  async list(): Promise<QueueRecord[]> {
    await this.#log.sync();
    const records = [...this.#records.values()];
    if (this.#bytes > REWRITE_BYTES) {
      this.#bytes = 0;
      for (const record of records) await this.add(record);
    }
    return records;
  }

  #read(entry: Record<string, unknown>, bytes: number): void {
    this.#bytes += bytes;
    const added = pairOf(entry["add"]);
    if (added !== undefined) this.#records.set(keyOf(added), added);
    const removed = pairOf(entry["remove"]);
    if (removed !== undefined) this.#records.delete(keyOf(removed));
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
