// What moves a running system from one broker to another.
import type { Broker, Subscriber } from "tidings";

// #region bridge
/** Forwards what a queue of one broker holds, and gets, to another broker. Nothing leaves the old one before the new one has it. */
export function bridge(from: Broker, to: Broker, topic: string, queue: string): Promise<Subscriber> {
  return from.subscribe(
    topic,
    async ({ topic: concrete, id, key, message }) => {
      const { state } = await to.publish(concrete, message, { id, ...(key === undefined ? {} : { key }) });
      if (state === "unrouted") throw new Error(`nobody at the new broker wants ${concrete}: create its queues first`);
    },
    { queue, concurrency: 1, maxAttempts: Number.MAX_SAFE_INTEGER },
  );
}
// #endregion

// #region queues
/** Makes every queue of one broker on another, so that whatever is published there from now on is kept. */
export async function copyQueues(from: Broker, to: Broker): Promise<void> {
  for (const { topic, queue } of await from.queues.list()) await to.createQueue(topic, queue);
}
// #endregion
