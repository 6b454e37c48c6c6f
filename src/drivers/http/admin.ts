import type { DeadLetterAdmin, DeadLetterChoice, DeadLetterTopic, QueueAdmin, QueueInfo } from "../../driver.ts";
import { readDeadLetter } from "./calls.ts";
import type { Directory } from "./directory.ts";
import type { PeerNetwork } from "./peer-network.ts";
import type { QueueRecords } from "./queue-records.ts";

/** Queues and dead letters across all live peers: each process keeps those of the messages that it published. */
export class HttpAdmin {
  readonly queues: QueueAdmin;
  readonly deadLetters: DeadLetterAdmin;

  constructor(
    network: PeerNetwork,
    own: { readonly queues: QueueAdmin; readonly deadLetters: DeadLetterAdmin },
    directory: Directory,
    records: QueueRecords,
  ) {
    this.queues = {
      create: (pattern, queue) => records.create({ pattern, queue }),
      list: async () => {
        const [mine, theirs] = await Promise.all([own.queues.list(), network.ask("queues", null)]);
        return sum([mine, ...theirs]);
      },
      remove: async (pattern, queue) => {
        const known = (await own.queues.list()).find((info) => info.topic === pattern && info.queue === queue);
        const existed = await own.queues.remove(pattern, queue);
        if ((known?.members ?? 0) === 0) {
          await records.remove({ pattern, queue });
          directory.removeQueue({ pattern, queue }, "its queue was removed");
        }
        await network.ask("queue-removed", { pattern, queue });
        return existed;
      },
    };
    const change = async (verb: "redrive" | "drop", topic: string, choice: DeadLetterChoice): Promise<number> => {
      const { ids, signal, onProgress } = choice;
      let count = await own.deadLetters[verb](topic, choice);
      // A call is of bounded length, and a list of ids is not.
      const asked = ids === undefined ? [{ topic }] : [...ids].map((id) => ({ topic, id }));
      for (const argument of asked) {
        if (signal?.aborted) break;
        count = total(count, await network.ask(verb, argument));
        onProgress?.(count);
      }
      return count;
    };
    this.deadLetters = {
      topics: async () => {
        const [mine = [], theirs] = await Promise.all([
          own.deadLetters.topics?.(),
          network.ask("dead-letter-topics", null),
        ]);
        return sumTopics([mine, ...theirs]);
      },
      list: async (topic) => {
        const [mine, theirs] = await Promise.all([own.deadLetters.list(topic), network.ask("dead-letters", { topic })]);
        return [...mine, ...theirs.flat().map(readDeadLetter)].sort((a, b) => a.lastAt.getTime() - b.lastAt.getTime());
      },
      redrive: (topic, choice) => change("redrive", topic, choice),
      drop: (topic, choice) => change("drop", topic, choice),
    };
  }
}

function total(own: number, others: readonly number[]): number {
  return others.reduce((sumSoFar, count) => sumSoFar + count, own);
}

/** Every process keeps the dead letters of its own messages. */
function sumTopics(lists: readonly (readonly DeadLetterTopic[])[]): DeadLetterTopic[] {
  const counts = new Map<string, number>();
  for (const { topic, messages } of lists.flat()) counts.set(topic, (counts.get(topic) ?? 0) + messages);
  return [...counts].map(([topic, messages]) => ({ topic, messages }));
}

/** One line a queue: every process knows all members, and keeps messages of its own. */
function sum(lists: readonly (readonly QueueInfo[])[]): QueueInfo[] {
  const queues = new Map<string, QueueInfo>();
  for (const info of lists.flat()) {
    const key = `${info.topic}\u0000${info.queue}`;
    const known = queues.get(key);
    queues.set(
      key,
      known === undefined
        ? info
        : { ...known, members: Math.max(known.members, info.members), messages: known.messages + info.messages },
    );
  }
  return [...queues.values()];
}
