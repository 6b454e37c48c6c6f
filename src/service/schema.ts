import type { StandardSchemaV1 } from "@standard-schema/spec";
import { invalidPayload } from "./invalid-payload.ts";

/**
 * Checks a value with a Standard Schema, synchronous or not; resolves with the schema's output.
 * @throws BrokerError `ERR_INVALID_PAYLOAD` whose message lists the issues, the first ten, and whose `cause` holds them all
 */
export async function checkPayload(schema: StandardSchemaV1, value: unknown, topic: string): Promise<unknown> {
  const checked = schema["~standard"].validate(value);
  const result = checked instanceof Promise ? await checked : checked;
  if (result.issues === undefined) return result.value;
  throw invalidPayload(topic, result.issues.map(describeIssue), result.issues);
}

function describeIssue({ message, path = [] }: StandardSchemaV1.Issue): string {
  if (path.length === 0) return message;
  const keys = path.map((step) => String(typeof step === "object" ? step.key : step));
  return `${keys.join(".")}: ${message}`;
}
