import type { Service } from "../registry.ts";

/** Where subscriptions tell their topic or pattern, and their queue: Tidings' keys first, then go-micro's. */
const TOPIC_KEYS = ["tidings-pattern", "topic"] as const;
const QUEUE_KEY = "tidings-queue";

/** The version that go-micro, and the HTTP broker with it, gives to subscriptions without a queue. */
const BROADCAST_VERSION = "ff.http.broadcast";

/** What `tidings services` shows of one version of a service. */
export interface ServiceSummary {
  readonly nodes: number;
  /** Where its nodes are, each address once. */
  readonly addresses: readonly string[];
  /** The topics and patterns that its nodes and endpoints subscribe to. */
  readonly topics: readonly string[];
  readonly queues: readonly string[];
}

/** Sums up a service: addresses, topics and queues as its nodes' and endpoints' metadata tell them. */
export function summarize({ version, nodes, endpoints }: Service): ServiceSummary {
  const subscribers = [...nodes, ...endpoints].map(({ metadata }) => metadata);
  const topics = distinct(subscribers.map((metadata) => metadata[TOPIC_KEYS[0]] ?? metadata[TOPIC_KEYS[1]]));
  const named = distinct(subscribers.map((metadata) => metadata[QUEUE_KEY]));
  // A go-micro subscription has its queue as the version, and nowhere else.
  const isSubscription = nodes.some(({ metadata }) => metadata.broker === "http" && metadata.topic !== undefined);
  const fromVersion = named.length === 0 && isSubscription && version !== BROADCAST_VERSION ? [version] : [];
  return {
    nodes: nodes.length,
    addresses: distinct(nodes.map(({ address }) => address)),
    topics,
    queues: [...named, ...fromVersion],
  };
}

function distinct(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values.filter((value) => value !== undefined && value !== ""))].sort() as string[];
}
