import type { StandardSchemaV1 } from "@standard-schema/spec";
import { checkPattern } from "../topics.ts";

/**
 * A topic, or a pattern, with what its messages hold. Publishers take and check `Input`; handlers get `Output`, which
 * differs where the schema transforms.
 */
export interface Topic<Input = unknown, Output = Input> {
  /** The topic or pattern. */
  readonly name: string;
  /** What checks payloads; `undefined`: nothing does. */
  readonly schema: StandardSchemaV1<Input, Output> | undefined;
}

/** A topic whose payloads are not checked. */
// biome-ignore lint/suspicious/noExplicitAny: an unchecked payload is whatever the program says that it is
export function topic<Payload = any>(name: string): Topic<Payload>;
/** A topic with a schema of any library that speaks Standard Schema, such as zod, valibot or arktype. */
export function topic<Schema extends StandardSchemaV1>(
  name: string,
  schema: Schema,
): Topic<StandardSchemaV1.InferInput<Schema>, StandardSchemaV1.InferOutput<Schema>>;
/**
 * Names a topic for services.
 * @throws BrokerError `ERR_INVALID_TOPIC`
 */
export function topic(name: string, schema?: StandardSchemaV1): Topic {
  checkPattern(name);
  return Object.freeze({ name, schema });
}

/**
 * A topic, or one that is named without a schema.
 * @throws BrokerError `ERR_INVALID_TOPIC`
 */
export function asTopic(on: string | Topic): Topic {
  return typeof on === "string" ? topic(on) : on;
}
