import type { StandardSchemaV1 } from "@standard-schema/spec";
import { BrokerError } from "../errors.ts";

/** How many issues an error lists. */
const MAX_ISSUES = 10;

/**
 * Checks a value with a Standard Schema, synchronous or not; resolves with the schema's output.
 * @throws BrokerError `ERR_INVALID_PAYLOAD` with the list of issues
 */
export async function checkPayload(schema: StandardSchemaV1, value: unknown, topic: string): Promise<unknown> {
  const checked = schema["~standard"].validate(value);
  const result = checked instanceof Promise ? await checked : checked;
  if (result.issues === undefined) return result.value;
  const listed = result.issues.slice(0, MAX_ISSUES).map(describeIssue);
  if (result.issues.length > MAX_ISSUES) listed.push(`and ${result.issues.length - MAX_ISSUES} more`);
  const message = `The payload for ${topic} is not valid: ${listed.join("; ")}.`;
  throw new BrokerError("ERR_INVALID_PAYLOAD", message, { topic, cause: result.issues });
}

function describeIssue({ message, path = [] }: StandardSchemaV1.Issue): string {
  if (path.length === 0) return message;
  const keys = path.map((step) => String(typeof step === "object" ? step.key : step));
  return `${keys.join(".")}: ${message}`;
}
