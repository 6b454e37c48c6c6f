import { setTimeout as pause } from "node:timers/promises";
import type { Broker, Delivery, SubscribeOptions } from "tidings";
import type { JournalWriter } from "./journal.ts";
import { type ProcessArguments, queueName, topicOf } from "./protocol.ts";
import { hostNowMs } from "./records.ts";
import { stubbornly } from "./stubbornly.ts";

/** How long a handler takes after it has written down what it got, in milliseconds: time to be killed before the ack. */
const HANDLER_MS = 2;

/** Enough that no message becomes a dead letter because its receivers were killed, at an attempt each. */
const RETRIES: SubscribeOptions = { maxAttempts: 1_000, backoffMs: 100, maxBackoffMs: 1_000 };

/** Joins every queue, or subscribes to everything without one. Each message is written down before it is acked. */
export async function receive(broker: Broker, journal: JournalWriter, args: ProcessArguments): Promise<void> {
  const { role, prefix, queues } = args;
  // Where there are no retries, to ask for them is an error.
  const options = broker.capabilities.guarantee === "at-least-once" ? RETRIES : {};
  const subscribe = async (pattern: string, queue: number | null): Promise<void> => {
    const handle = async (delivery: Delivery): Promise<void> => {
      const { id, attempt } = delivery;
      const topic = queueOf(delivery.topic, prefix);
      journal.write({ event: "received", queue, topic, id, text: delivery.text(), attempt, atMs: hostNowMs() });
      await pause(HANDLER_MS);
    };
    const subscribeOptions = queue === null ? options : { ...options, queue: queueName(queue) };
    await stubbornly(journal, () => broker.subscribe(pattern, handle, subscribeOptions));
  };
  if (role === "broadcast") return subscribe(`${prefix}.*`, null);
  for (let queue = 0; queue < queues; queue += 1) await subscribe(topicOf(prefix, queue), queue);
}

/** The queue whose topic this is, or `null`. */
function queueOf(topic: string, prefix: string): number | null {
  const rest = topic.startsWith(`${prefix}.`) ? topic.slice(prefix.length + 1) : "";
  return /^\d+$/.test(rest) ? Number(rest) : null;
}
