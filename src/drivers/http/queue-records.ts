import type { BrokerError } from "../../errors.ts";
import { wrapError } from "../../errors.ts";
import { keepRegistered, type Registration } from "../../registries/keep-registered.ts";
import { leftInTime } from "../../registries/timed.ts";
import type { Registry } from "../../registry.ts";
import type { Directory } from "./directory.ts";
import type { PeerNetwork } from "./peer-network.ts";
import { isRemoved, type QueueRecord, queueRecord, readQueue } from "./records.ts";
import { SERVICE_NAMES } from "./service-names.ts";

/** A queue's record holds this long after its last member, in milliseconds: 24 hours. */
export const QUEUE_TTL_MS: number = 24 * 60 * 60 * 1_000;

/** How often members refresh their queue's record, in milliseconds. */
const REFRESH_MS = 60 * 60 * 1_000;

interface Joined {
  members: number;
  readonly registering: Promise<Registration>;
}

/** The queues' records in the registry: made with the first member or ahead of it, and kept fresh while members live. */
export class QueueRecords {
  readonly #registry: Registry;
  readonly #directory: Directory;
  readonly #network: PeerNetwork;
  readonly #onError: (error: BrokerError) => void;
  /** Queues that have members in this process, by the id of their record. */
  readonly #joined = new Map<string, Joined>();

  constructor(registry: Registry, directory: Directory, network: PeerNetwork, onError: (error: BrokerError) => void) {
    this.#registry = registry;
    this.#directory = directory;
    this.#network = network;
    this.#onError = onError;
  }

  /** Creates a queue; resolves when all publishers know it. */
  async create(queue: QueueRecord): Promise<void> {
    const record = queueRecord(queue);
    this.#directory.addQueue(queue);
    await this.#registry.register(record, { ttlMs: QUEUE_TTL_MS, standing: true });
    await this.#network.ask("queue-added", queue);
  }

  /** A member of this process joins; resolves when all publishers know the queue. */
  async join(queue: QueueRecord): Promise<void> {
    const record = queueRecord(queue);
    const id = idOf(queue);
    let joined = this.#joined.get(id);
    if (joined === undefined) {
      const options = { ttlMs: QUEUE_TTL_MS, intervalMs: REFRESH_MS, standing: true, onError: this.#onError };
      joined = { members: 0, registering: keepRegistered(this.#registry, record, options) };
      this.#joined.set(id, joined);
    }
    joined.members += 1;
    this.#directory.addQueue(queue);
    await joined.registering;
    await this.#network.ask("queue-added", queue);
  }

  /** A member of this process leaves, or failed to join; after the last one the record is left to its TTL. */
  async leave(queue: QueueRecord): Promise<void> {
    const id = idOf(queue);
    const joined = this.#joined.get(id);
    if (joined === undefined) return;
    joined.members -= 1;
    if (joined.members > 0) return;
    this.#joined.delete(id);
    await this.#stop(joined);
  }

  /** Puts on record that a queue was removed: for who is down, and keeps messages for it. */
  async remove(queue: QueueRecord): Promise<void> {
    await this.#registry.register(queueRecord(queue, true), { ttlMs: QUEUE_TTL_MS, standing: true });
  }

  /** Those of some queues that were removed and not made again. */
  async removed(queues: readonly QueueRecord[]): Promise<QueueRecord[]> {
    if (queues.length === 0) return [];
    const records = await this.#registry.getService(SERVICE_NAMES.queues);
    const gone = records.flatMap(({ nodes }) => nodes.filter(isRemoved)).map(readQueue);
    const ids = new Set(gone.flatMap((queue) => (queue === undefined ? [] : [idOf(queue)])));
    return queues.filter((queue) => ids.has(idOf(queue)));
  }

  async close(): Promise<void> {
    const all = [...this.#joined.values()];
    this.#joined.clear();
    await Promise.all(all.map((joined) => this.#stop(joined)));
  }

  async #stop({ registering }: Joined): Promise<void> {
    const stopping = registering.then(
      (registration) => registration.stop(),
      () => {
        // Told to whoever joined.
      },
    );
    try {
      await leftInTime(stopping);
    } catch (error) {
      this.#onError(wrapError(error, "ERR_REGISTRY", "Releasing a queue's record failed; it ends with its TTL"));
    }
  }
}

function idOf(queue: QueueRecord): string {
  return `${queue.pattern}\u0000${queue.queue}`;
}
