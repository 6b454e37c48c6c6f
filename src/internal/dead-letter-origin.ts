import type { DeadLetterOrigin } from "../driver.ts";

/**
 * Reads the subscription in which a message failed, as drivers keep it: JSON.
 * @throws SyntaxError, or Error where it is something else: another program may have written it
 */
export function readDeadLetterOrigin(json: string): DeadLetterOrigin {
  const value = JSON.parse(json) as Partial<Record<keyof DeadLetterOrigin, unknown>> | null;
  const { pattern, queue, subscriptionId } = value ?? {};
  if (typeof pattern !== "string" || !isTextOrNone(queue) || !isTextOrNone(subscriptionId))
    throw new Error("its origin is no subscription");
  return { pattern, queue, subscriptionId };
}

function isTextOrNone(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}
