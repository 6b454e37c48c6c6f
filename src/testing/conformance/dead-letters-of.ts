import assert from "node:assert/strict";
import type { Broker } from "../../broker.ts";
import type { DeadLetter } from "../../driver.ts";
import type { CheckContext } from "./check-context.ts";

/**
 * Waits until the dead letters of a topic are `count`, and resolves with them. What is left of them is dropped at the end of
 * the check.
 */
export async function deadLettersOf(
  context: CheckContext,
  broker: Broker,
  topic: string,
  count: number,
): Promise<DeadLetter[]> {
  dropDeadLetters(context, broker, topic);
  let last: DeadLetter[] = [];
  await context.until(
    `there are ${count} dead letters`,
    async () => {
      last = await broker.deadLetters.list(`dlq.${topic}`);
      return last.length >= count;
    },
    { detail: () => `there are ${last.length}` },
  );
  assert.equal(last.length, count, `there are ${last.length} dead letters instead of ${count}`);
  return last;
}

/** Drops the dead letters of a topic at the end of the check, while the broker is still connected. */
export function dropDeadLetters(context: CheckContext, broker: Broker, topic: string): void {
  context.defer(async () => {
    if (broker.status === "connected") await broker.deadLetters.drop(`dlq.${topic}`);
  });
}
