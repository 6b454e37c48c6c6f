import type { Subscriber } from "../subscriber.ts";

/**
 * Ends subscriptions, all at the same time; resolves when each has ended.
 * @param report hears of every failure but the first
 * @throws the first failure, in the order of the subscriptions
 */
export async function unsubscribeAll(
  subscribers: readonly (Subscriber | undefined)[],
  report: (error: unknown) => void,
): Promise<void> {
  const ended = await Promise.allSettled(subscribers.map((subscriber) => subscriber?.unsubscribe()));
  const [first, ...more] = ended.filter((result) => result.status === "rejected");
  for (const { reason } of more) report(reason);
  if (first !== undefined) throw first.reason;
}
