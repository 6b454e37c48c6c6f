import { isDeepStrictEqual } from "node:util";
import { BrokerError } from "../errors.ts";
import { DEFAULT_TTL_MS, type Node, type RegisterOptions, type RegistryEvent, type Service } from "../registry.ts";
import { copyService } from "./copy-service.ts";

/** What a registry keeps: one node of one service version, and how long it holds. */
export interface RegistryRecord {
  /** The service version, with exactly this node. */
  readonly service: Service;
  readonly node: Node;
  /** Milliseconds since the epoch. Of several records of one node the newest counts. */
  readonly registeredAt: number;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Names one node of one service version. */
export function recordKey(service: Service, node: Node): string {
  return JSON.stringify([service.name, service.version, node.id]);
}

/** The keys of all nodes of a service version. */
export function recordKeys(service: Service): string[] {
  return service.nodes.map((node) => recordKey(service, node));
}

/**
 * The records that `service` makes, by key, after checking it.
 * Throws `ERR_REGISTRY` (not retryable) for a service that is malformed or has no nodes.
 */
export function toRecords(service: Service, registeredAt: number, expiresAt: number): Map<string, RegistryRecord> {
  const copy = copyService(service);
  if (copy.nodes.length === 0) {
    throw new BrokerError("ERR_REGISTRY", `Cannot register ${JSON.stringify(copy.name)}: it has no nodes.`, {
      retryable: false,
    });
  }
  return new Map(copy.nodes.map((node) => [recordKey(copy, node), toRecord(copy, node, registeredAt, expiresAt)]));
}

/** One record for one node of a service that has been checked. */
export function toRecord(service: Service, node: Node, registeredAt: number, expiresAt: number): RegistryRecord {
  return Object.freeze({
    service: Object.freeze({ ...service, nodes: Object.freeze([node]) }),
    node,
    registeredAt,
    expiresAt,
  });
}

/** When a record that is registered `now` expires. Throws `ERR_INVALID_OPTION` for a TTL that is not a positive number. */
export function expiry(options: RegisterOptions | undefined, now: number): number {
  return now + checkDuration("ttlMs", options?.ttlMs ?? DEFAULT_TTL_MS);
}

/** Returns a duration in milliseconds, or throws `ERR_INVALID_OPTION` when it is not a positive, finite number. */
export function checkDuration(name: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new BrokerError(
    "ERR_INVALID_OPTION",
    `${name} must be a positive number of milliseconds, not ${String(value)}.`,
  );
}

/**
 * Merges records into services, one per name and version, sorted by name, version and node id. Where two records of one
 * node, or two nodes' descriptions of their service, differ, the newest record wins.
 */
export function mergeRecords(records: Iterable<RegistryRecord>): Service[] {
  const groups = new Map<string, Map<string, RegistryRecord>>();
  for (const record of records) {
    const name = JSON.stringify([record.service.name, record.service.version]);
    const group = groups.get(name) ?? new Map<string, RegistryRecord>();
    groups.set(name, group);
    const rival = group.get(record.node.id);
    if (rival === undefined || isNewer(record, rival)) group.set(record.node.id, record);
  }
  return [...groups.values()]
    .map((group) => mergeGroup([...group.values()]))
    .sort((a, b) => compare(a.name, b.name) || compare(a.version, b.version));
}

/** What a watcher must be told after the services changed from `before` to `after`: created nodes first, deleted ones last. */
export function diffServices(before: readonly Service[], after: readonly Service[]): RegistryEvent[] {
  const old = flatten(before);
  const young = flatten(after);
  return [
    ...toEvents("create", young, (_entry, key) => !old.has(key)),
    ...toEvents("update", young, (entry, key) => isChanged(old.get(key), entry)),
    ...toEvents("delete", old, (_entry, key) => !young.has(key)),
  ];
}

interface Entry {
  readonly service: Service;
  readonly node: Node;
}

function mergeGroup(records: RegistryRecord[]): Service {
  const newest = records.reduce((best, record) => (isNewer(record, best) ? record : best));
  const nodes = records.map((record) => record.node).sort((a, b) => compare(a.id, b.id));
  return Object.freeze({ ...newest.service, nodes: Object.freeze(nodes) });
}

function isNewer(record: RegistryRecord, rival: RegistryRecord): boolean {
  if (record.registeredAt !== rival.registeredAt) return record.registeredAt > rival.registeredAt;
  return record.expiresAt > rival.expiresAt;
}

function flatten(services: readonly Service[]): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const service of services)
    for (const node of service.nodes) entries.set(recordKey(service, node), { service, node });
  return entries;
}

function toEvents(
  action: RegistryEvent["action"],
  entries: Map<string, Entry>,
  concerns: (entry: Entry, key: string) => boolean,
): RegistryEvent[] {
  const nodes = new Map<Service, Node[]>();
  for (const [key, entry] of entries) {
    if (!concerns(entry, key)) continue;
    const list = nodes.get(entry.service) ?? [];
    nodes.set(entry.service, list);
    list.push(entry.node);
  }
  return [...nodes].map(([service, concerned]) => ({ action, service: { ...service, nodes: concerned } }));
}

function isChanged(old: Entry | undefined, young: Entry): boolean {
  if (old === undefined) return false;
  return !(
    isDeepStrictEqual(old.node, young.node) &&
    isDeepStrictEqual(old.service.metadata, young.service.metadata) &&
    isDeepStrictEqual(old.service.endpoints, young.service.endpoints)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
