import { classifyOperation, NOT_FOUND, replyCode } from "./classify.ts";
import { closeChannel, type Session } from "./session.ts";

/** What the server says of a queue. */
export interface QueueCounts {
  /** Messages that wait; those that a consumer holds unsettled are not among them. */
  readonly messages: number;
  readonly consumers: number;
}

/** What the server says of queues; one that does not exist is missing. Asking for one costs the channel. */
export async function countQueues(session: Session, queues: readonly string[]): Promise<Map<string, QueueCounts>> {
  const counts = new Map<string, QueueCounts>();
  let channel = await session.channel();
  try {
    for (const queue of queues) {
      try {
        const { messageCount, consumerCount } = await channel.checkQueue(queue);
        counts.set(queue, { messages: messageCount, consumers: consumerCount });
      } catch (error) {
        if (replyCode(error) !== NOT_FOUND) throw classifyOperation(error, `the queue ${queue}`);
        channel = await session.channel();
      }
    }
  } finally {
    await closeChannel(channel);
  }
  return counts;
}
