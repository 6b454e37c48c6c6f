import type { Broker } from "../broker.ts";
import type { Service as ServiceRecord } from "../registry.ts";
import { subscriberEndpoint } from "./endpoints.ts";
import type { Definition } from "./subscription-definition.ts";

/** What of a service its record shows. */
interface Registered {
  readonly name: string;
  readonly version: string;
  readonly id: string;
  readonly broker: Broker;
}

/** The record of a service in a registry: one node, and an endpoint for each handler of each subscription. */
export function serviceRecord(
  { name, version, id, broker }: Registered,
  definitions: Iterable<Definition>,
  metadata: Readonly<Record<string, string>>,
): ServiceRecord {
  const endpoints = [...definitions].flatMap(({ topic: on, handlers, options }) =>
    handlers.map((handler) => subscriberEndpoint(handler.name, on.name, options.queue, on.schema)),
  );
  const node = { id: `${name}-${id}`, address: broker.address, metadata: { ...metadata, broker: broker.name } };
  return { name, version, metadata: {}, endpoints, nodes: [node] };
}
