import { BrokerError } from "../errors.ts";

/** How many issues an error lists. */
const MAX_ISSUES = 10;

/** The error of a payload that a schema or a check refuses. Its message lists the issues, the first ten. */
export function invalidPayload(topic: string, issues: readonly string[], cause: unknown): BrokerError {
  const listed = issues.slice(0, MAX_ISSUES);
  if (issues.length > MAX_ISSUES) listed.push(`and ${issues.length - MAX_ISSUES} more`);
  const message = `The payload for ${topic} is not valid: ${listed.join("; ")}.`;
  return new BrokerError("ERR_INVALID_PAYLOAD", message, { topic, cause });
}
