import { BrokerError } from "../errors.ts";
import type { Endpoint, Node, Service, Value } from "../registry.ts";

/** How deep the description of a request or response may be nested. */
const MAX_VALUE_DEPTH = 32;

/**
 * Checks a service record and copies it, deeply frozen, its metadata without prototypes. What comes from a caller or
 * from a file is not trusted to have the declared shape, nor to stay as it is.
 * Throws `ERR_REGISTRY` (not retryable) that names the first member that is wrong.
 */
export function copyService(value: unknown): Service {
  const service = object(value, "service");
  return Object.freeze({
    name: text(service.name, "service.name"),
    version: string(service.version, "service.version"),
    metadata: copyMetadata(service.metadata, "service.metadata"),
    endpoints: list(service.endpoints, "service.endpoints", copyEndpoint),
    nodes: list(service.nodes, "service.nodes", copyNode),
  });
}

function copyNode(value: unknown, where: string): Node {
  const node = object(value, where);
  return Object.freeze({
    id: text(node.id, `${where}.id`),
    address: string(node.address, `${where}.address`),
    metadata: copyMetadata(node.metadata, `${where}.metadata`),
  });
}

function copyEndpoint(value: unknown, where: string): Endpoint {
  const endpoint = object(value, where);
  return Object.freeze({
    name: string(endpoint.name, `${where}.name`),
    request: copyValue(endpoint.request, `${where}.request`, 0),
    response: copyValue(endpoint.response, `${where}.response`, 0),
    metadata: copyMetadata(endpoint.metadata, `${where}.metadata`),
  });
}

function copyValue(candidate: unknown, where: string, depth: number): Value | null {
  if (candidate === null) return null;
  if (depth > MAX_VALUE_DEPTH) throw wrong(where, `must not be nested deeper than ${MAX_VALUE_DEPTH}`);
  const value = object(candidate, where);
  const values = value.values;
  return Object.freeze({
    name: string(value.name, `${where}.name`),
    type: string(value.type, `${where}.type`),
    values: values === null ? null : list(values, `${where}.values`, (item, path) => copyChild(item, path, depth + 1)),
  });
}

function copyChild(item: unknown, where: string, depth: number): Value {
  const value = copyValue(item, where, depth);
  if (value === null) throw wrong(where, "must be an object");
  return value;
}

function copyMetadata(value: unknown, where: string): Readonly<Record<string, string>> {
  const copy: Record<string, string> = Object.create(null);
  for (const [key, entry] of Object.entries(object(value, where)))
    copy[key] = string(entry, `${where}[${JSON.stringify(key)}]`);
  return Object.freeze(copy);
}

function object(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(where, "must be an object");
  return value as Record<string, unknown>;
}

function list<T>(value: unknown, where: string, copy: (item: unknown, where: string) => T): readonly T[] {
  if (!Array.isArray(value)) throw wrong(where, "must be an array");
  return Object.freeze(value.map((item, index) => copy(item, `${where}[${index}]`)));
}

function string(value: unknown, where: string): string {
  if (typeof value !== "string") throw wrong(where, "must be a string");
  return value;
}

function text(value: unknown, where: string): string {
  if (string(value, where) === "") throw wrong(where, "must not be empty");
  return value as string;
}

function wrong(where: string, rule: string): BrokerError {
  return new BrokerError("ERR_REGISTRY", `Not a service record: ${where} ${rule}.`, { retryable: false });
}
