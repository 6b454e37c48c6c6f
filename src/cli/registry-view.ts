import type { Node, Service } from "../registry.ts";

/** The records that the HTTP broker keeps for itself, by the service name that they have. */
const BROKER_RECORDS = {
  /** Subscriptions; go-micro's names, the newer and the older one, where go-micro peers can reach them too. */
  subscriptions: ["tidings.http.broker", "micro.http.broker", "go.micro.http.broker"],
  /** Queues, with or without members. */
  queues: "tidings.http.queue",
  /** Brokers, each a peer of the others. */
  peers: "tidings.http.peer",
} as const;

/** The version that go-micro, and the HTTP broker with it, gives to subscriptions without a queue. */
const BROADCAST_VERSION = "ff.http.broadcast";

/** One version of a service. */
interface ServiceView {
  readonly name: string;
  readonly version: string;
  readonly nodes: number;
  /** Where its nodes are, each address once. */
  readonly addresses: readonly string[];
}

/** What a service can be asked for, or subscribes to. */
interface EndpointView {
  /** The service; with its version where there are several. */
  readonly service: string;
  readonly name: string;
  /** `""` for an endpoint that is called and not subscribed, as go-micro's services have them. */
  readonly topic: string;
  readonly queue: string;
}

/** A queue of the HTTP broker, or all broadcast subscriptions to one topic or pattern. */
interface SubscriptionView {
  readonly topic: string;
  /** `""`: broadcast. */
  readonly queue: string;
  /** How many there are; 0 for a queue that waits for its next member. */
  readonly subscribers: number;
  readonly addresses: readonly string[];
}

/** What an HTTP broker keeps on disk. */
interface StoredView {
  readonly address: string;
  readonly messages: number;
  readonly bytes: number;
  /** When the oldest was published, in milliseconds since the epoch; `undefined` without any. */
  readonly since: number | undefined;
}

/** What a registry holds, in the order in which people read it. */
export interface RegistryView {
  readonly services: readonly ServiceView[];
  readonly endpoints: readonly EndpointView[];
  readonly subscriptions: readonly SubscriptionView[];
  /** How many HTTP brokers there are, one in most processes. */
  readonly peers: number;
  /** What HTTP brokers with storage keep. */
  readonly stored: readonly StoredView[];
}

/** Sorts out what a registry holds: services and their endpoints, and apart from them what the HTTP broker keeps there. */
export function viewRegistry(records: readonly Service[]): RegistryView {
  const services = records.filter(({ name }) => !isBrokerRecord(name));
  const peers = records.filter(({ name }) => name === BROKER_RECORDS.peers);
  return {
    services: services.map(({ name, version, nodes }) => ({
      name,
      version,
      nodes: nodes.length,
      addresses: addressesOf(nodes),
    })),
    endpoints: services.flatMap((service) => endpointsOf(service, services)),
    subscriptions: subscriptionsOf(records),
    peers: peers.reduce((sum, { nodes }) => sum + nodes.length, 0),
    stored: peers.flatMap(({ nodes }) => nodes.flatMap(storedBy)).sort((a, b) => compare(a.address, b.address)),
  };
}

function isBrokerRecord(name: string): boolean {
  return name.startsWith("tidings.http.") || isSubscription(name);
}

function isSubscription(name: string): boolean {
  return BROKER_RECORDS.subscriptions.some((one) => one === name);
}

function endpointsOf({ name, version, endpoints }: Service, all: readonly Service[]): EndpointView[] {
  const several = all.some((other) => other.name === name && other.version !== version);
  const service = several ? `${name} ${version}` : name;
  return endpoints.map(({ name: handler, metadata: { topic = "", queue = "" } }) => ({
    service,
    name: handler,
    topic,
    queue,
  }));
}

function subscriptionsOf(records: readonly Service[]): SubscriptionView[] {
  const found = new Map<string, { topic: string; queue: string; nodes: Map<string, Node> }>();
  for (const record of records) {
    for (const node of record.nodes) {
      const place = placeOf(record, node);
      if (place === undefined) continue;
      const key = `${place.topic}\u0000${place.queue}`;
      const entry = found.get(key) ?? { ...place, nodes: new Map() };
      found.set(key, entry);
      // By its id: one subscription may be there under several names.
      if (isSubscription(record.name)) entry.nodes.set(node.id, node);
    }
  }
  return [...found.values()]
    .map(({ nodes, ...place }) => ({ ...place, subscribers: nodes.size, addresses: addressesOf([...nodes.values()]) }))
    .sort((left, right) => compare(left.topic, right.topic) || compare(left.queue, right.queue));
}

/** The topic or pattern and the queue that a node of the HTTP broker stands for; `undefined` where it stands for none. */
function placeOf({ name, version }: Service, { metadata }: Node): { topic: string; queue: string } | undefined {
  const { "tidings-pattern": pattern, "tidings-queue": queue = "", "tidings-removed": removed, topic } = metadata;
  if (removed !== undefined || (name !== BROKER_RECORDS.queues && !isSubscription(name))) return undefined;
  if (pattern !== undefined) return { topic: pattern, queue };
  // A go-micro subscription has its queue as the version, and nowhere else.
  return topic === undefined ? undefined : { topic, queue: version === BROADCAST_VERSION ? "" : version };
}

function storedBy({ address, metadata }: Node): StoredView[] {
  const messages = metadata["tidings-stored-messages"];
  if (messages === undefined) return [];
  const since = metadata["tidings-stored-since"];
  return [
    {
      address,
      messages: Number(messages),
      bytes: Number(metadata["tidings-stored-bytes"]),
      since: since === undefined ? undefined : Number(since),
    },
  ];
}

function addressesOf(nodes: readonly Node[]): string[] {
  return [...new Set(nodes.map(({ address }) => address).filter((address) => address !== ""))].sort(compare);
}

/** By code units: the same order in every locale. */
export function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
