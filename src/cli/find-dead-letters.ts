import type { Broker } from "../broker.ts";
import type { DeadLetter } from "../driver.ts";
import { BrokerError } from "../errors.ts";

/**
 * The dead letters of a dead-letter topic with these ids, or all where none is given.
 * @throws BrokerError `ERR_NOT_FOUND` for an id that no dead letter there has
 */
export async function findDeadLetters(broker: Broker, topic: string, ids: readonly string[]): Promise<DeadLetter[]> {
  const letters = await broker.deadLetters.list(topic);
  const missing = ids.find((id) => letters.every((letter) => letter.id !== id));
  if (missing !== undefined) {
    throw new BrokerError("ERR_NOT_FOUND", `There is no dead letter ${JSON.stringify(missing)} in ${topic}.`, {
      topic,
    });
  }
  return ids.length === 0 ? letters : letters.filter(({ id }) => ids.includes(id));
}
