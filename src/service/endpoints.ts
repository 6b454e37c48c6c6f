import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Endpoint, Value } from "../registry.ts";

/** How deep a payload's shape is described. */
const MAX_DEPTH = 4;

/** What the registry shows of one handler, as go-micro shows its subscribers. */
export function subscriberEndpoint(
  name: string,
  topic: string,
  queue: string | undefined,
  schema: StandardSchemaV1 | undefined,
): Endpoint {
  const metadata = { topic, subscriber: "true", ...(queue === undefined ? {} : { queue }) };
  return { name, request: shapeOf(schema), response: null, metadata };
}

/** The shape of what a schema takes; `null` where the schema does not tell (Standard JSON Schema). */
function shapeOf(schema: StandardSchemaV1 | undefined): Value | null {
  const teller = (schema?.["~standard"] as { jsonSchema?: { input?: (options: object) => unknown } } | undefined)
    ?.jsonSchema;
  if (typeof teller?.input !== "function") return null;
  try {
    return describeValue("", teller.input({ target: "draft-2020-12" }), 0);
  } catch {
    // A schema that JSON Schema cannot express, such as a date: its shape is not known, which is no error.
    return null;
  }
}

function describeValue(name: string, schema: unknown, depth: number): Value {
  if (typeof schema !== "object" || schema === null) return { name, type: "any", values: null };
  const { type, properties, items } = schema as {
    type?: unknown;
    properties?: Record<string, unknown>;
    items?: unknown;
  };
  const shown = typeof type === "string" ? type : "any";
  if (depth >= MAX_DEPTH) return { name, type: shown, values: null };
  if (properties !== undefined) {
    return {
      name,
      type: shown,
      values: Object.entries(properties).map(([key, inner]) => describeValue(key, inner, depth + 1)),
    };
  }
  if (items !== undefined) return { name, type: shown, values: [describeValue("items", items, depth + 1)] };
  return { name, type: shown, values: null };
}
