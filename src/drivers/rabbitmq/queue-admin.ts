import type { QueueAdmin, QueueInfo } from "../../driver.ts";
import { countQueues } from "./count-queues.ts";
import type { Inquiry } from "./inquiry.ts";
import type { Names } from "./names.ts";
import type { QueueLocks } from "./queue-locks.ts";
import type { QueueRecord, QueueRecords } from "./queue-records.ts";
import type { Session } from "./session.ts";
import type { Topology } from "./topology.ts";

/** What the administration of queues needs. */
export interface QueueAdminParts {
  readonly names: Names;
  readonly records: QueueRecords;
  readonly inquiry: Inquiry;
  readonly locks: QueueLocks;
  /** Does something on the connection, again on the next one where it breaks. */
  persist<T>(work: (session: Session, topology: Topology) => Promise<T>): Promise<T>;
}

/** Makes, lists and removes queues. */
export class RabbitmqQueues implements QueueAdmin {
  readonly #parts: QueueAdminParts;

  constructor(parts: QueueAdminParts) {
    this.#parts = parts;
  }

  async create(pattern: string, queue: string): Promise<void> {
    await this.#parts.persist((session, topology) => this.make(session, topology, { topic: pattern, queue }));
  }

  /** Makes a queue on a connection, recorded first: one that is recorded and missing does no harm. */
  async make(session: Session, topology: Topology, record: QueueRecord): Promise<void> {
    const { names, locks, records } = this.#parts;
    const name = names.queue(record.topic, record.queue);
    await locks.hold(session, name, async () => {
      if (!(await countQueues(session, [name])).has(name)) await records.add(record);
      await topology.queue(record.topic, record.queue);
    });
  }

  list(): Promise<QueueInfo[]> {
    const { names, records, inquiry } = this.#parts;
    return this.#parts.persist(async (session) => {
      const byName = new Map((await records.list()).map((record) => [names.queue(record.topic, record.queue), record]));
      const counts = await countQueues(session, [...byName.keys()]);
      const held = await inquiry.ask(session);
      const infos: QueueInfo[] = [];
      for (const [name, { topic, queue }] of byName) {
        const found = counts.get(name);
        if (found === undefined) continue;
        infos.push({ topic, queue, members: found.consumers, messages: found.messages + (held.get(name) ?? 0) });
      }
      return infos;
    });
  }

  remove(pattern: string, queue: string): Promise<boolean> {
    const { names, records, locks } = this.#parts;
    const name = names.queue(pattern, queue);
    return this.#parts.persist((session) =>
      locks.hold(session, name, async () => {
        const existed = (await countQueues(session, [name])).has(name);
        if (!existed) return false;
        await records.remove({ topic: pattern, queue });
        await session.use(`the queue ${name}`, (channel) => channel.deleteQueue(name));
        return true;
      }),
    );
  }
}
