import type { Broker } from "../../broker.ts";
import type { PublishOptions } from "../../broker-options.ts";
import { numberedBody, type SequenceLog } from "./sequence-log.ts";

/** What {@link publishNumbered} sends. */
export interface NumberedLoad extends PublishOptions {
  /** The publisher's name. Default `"p"`. */
  publisher?: string;
  /** How many messages. */
  count: number;
  /** The first number. Default 0. */
  from?: number;
  /** Where sent numbers are logged. */
  log?: SequenceLog;
  /** How many publishes are in flight at once. Default 64. */
  window?: number;
  /** The key of a number. */
  keyOf?: (number: number) => string;
}

/**
 * Publishes numbered messages in order, some in flight at once. Resolves when all are taken charge of.
 * @throws the first failure, after everything in flight was answered.
 */
export async function publishNumbered(broker: Broker, topic: string, load: NumberedLoad): Promise<void> {
  const { publisher = "p", count, from = 0, log, window = 64, keyOf, ...options } = load;
  const inFlight = new Set<Promise<void>>();
  const failures: unknown[] = [];
  for (let number = from; number < from + count && failures.length === 0; number += 1) {
    log?.sent(publisher, number);
    const publishOptions = keyOf === undefined ? options : { ...options, key: keyOf(number) };
    const answered: Promise<void> = broker
      .publish(topic, { body: numberedBody(publisher, number) }, publishOptions)
      .then(
        () => void inFlight.delete(answered),
        (error: unknown) => {
          inFlight.delete(answered);
          failures.push(error);
        },
      );
    inFlight.add(answered);
    if (inFlight.size >= window) await Promise.race(inFlight);
  }
  await Promise.all(inFlight);
  if (failures.length > 0) throw failures[0];
}
