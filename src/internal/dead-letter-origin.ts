/** The subscription in which a message failed: the driver contract's `DeadLetterOrigin`. */
interface Origin {
  readonly pattern: string;
  readonly queue: string | undefined;
  readonly subscriptionId: string | undefined;
}

/**
 * Reads the subscription in which a message failed, as drivers keep it: JSON.
 * @throws SyntaxError, or Error where it is something else: another program may have written it
 */
export function readDeadLetterOrigin(json: string): Origin {
  const value = JSON.parse(json) as Partial<Record<keyof Origin, unknown>> | null;
  const { pattern, queue, subscriptionId } = value ?? {};
  if (typeof pattern !== "string" || !isTextOrNone(queue) || !isTextOrNone(subscriptionId))
    throw new Error("its origin is no subscription");
  return { pattern, queue, subscriptionId };
}

function isTextOrNone(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}
