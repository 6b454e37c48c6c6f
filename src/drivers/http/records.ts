import { createHash } from "node:crypto";
import type { SubscribeRequest } from "../../driver.ts";
import type { Node, Service } from "../../registry.ts";
import { isPattern } from "../../topics.ts";
import { BROADCAST_VERSION, SERVICE_NAMES, WIRES } from "./wire.ts";

/** Metadata keys of Tidings nodes, beside go-micro's `broker`, `secure` and `topic`. */
const KEYS = {
  /** Says that the node is a Tidings subscription, and which wires its process speaks. */
  wires: "tidings-wires",
  /** The process that it belongs to. */
  peer: "tidings-peer",
  pattern: "tidings-pattern",
  queue: "tidings-queue",
  ackTimeoutMs: "tidings-ack-timeout-ms",
} as const;

/** The time limit of a subscription whose record tells none, in milliseconds. */
const DEFAULT_ACK_TIMEOUT_MS = 30_000;

/** A subscription of another process, as its record tells it. */
export interface RemoteSubscription {
  readonly nodeId: string;
  readonly address: string;
  readonly pattern: string;
  readonly queue: string | undefined;
  /** The Tidings process behind it; `undefined` for a go-micro one. */
  readonly peerId: string | undefined;
  readonly ackTimeoutMs: number;
}

/** A queue, as its record tells it. */
export interface QueueRecord {
  readonly pattern: string;
  readonly queue: string;
}

/** The record of a subscription of this process. */
export function subscriptionRecord(
  request: SubscribeRequest,
  address: string,
  peerId: string,
  goMicro: boolean,
): Service {
  const { id, pattern, queue, ackTimeoutMs } = request;
  const metadata: Record<string, string> = { broker: "http", secure: "false" };
  // go-micro publishers match this key with the topic to the letter, so that a pattern must not stand there.
  if (!isPattern(pattern)) metadata["topic"] = pattern;
  metadata[KEYS.wires] = WIRES;
  metadata[KEYS.peer] = peerId;
  metadata[KEYS.pattern] = pattern;
  if (queue !== undefined) metadata[KEYS.queue] = queue;
  metadata[KEYS.ackTimeoutMs] = String(ackTimeoutMs);
  return record(goMicro ? SERVICE_NAMES.goMicro : SERVICE_NAMES.tidings, queue ?? BROADCAST_VERSION, {
    id,
    address,
    metadata,
  });
}

/** The record of this process. */
export function peerRecord(peerId: string, address: string): Service {
  return record(SERVICE_NAMES.peers, "1", { id: peerId, address, metadata: { [KEYS.wires]: WIRES } });
}

/** The record of a queue: no process answers for it. */
export function queueRecord({ pattern, queue }: QueueRecord): Service {
  const id = createHash("sha256").update(`${pattern}\u0000${queue}`).digest("hex").slice(0, 40);
  return record(SERVICE_NAMES.queues, "1", {
    id,
    address: "",
    metadata: { [KEYS.pattern]: pattern, [KEYS.queue]: queue },
  });
}

/** Reads a subscription's node; `undefined` where it is none. */
export function readSubscription(service: Service, node: Node): RemoteSubscription | undefined {
  const { metadata, id: nodeId, address } = node;
  const pattern = metadata[KEYS.pattern];
  if (metadata[KEYS.wires] !== undefined && pattern !== undefined) {
    const ackTimeoutMs = Number(metadata[KEYS.ackTimeoutMs]) || DEFAULT_ACK_TIMEOUT_MS;
    return { nodeId, address, pattern, queue: metadata[KEYS.queue], peerId: metadata[KEYS.peer] ?? "", ackTimeoutMs };
  }
  const topic = metadata["topic"];
  if (
    service.name !== SERVICE_NAMES.goMicro ||
    metadata["broker"] !== "http" ||
    metadata["secure"] === "true" ||
    !topic ||
    // go-micro has no patterns: such a topic is meant to the letter, and is none of ours.
    isPattern(topic)
  )
    return undefined;
  return {
    nodeId,
    address,
    pattern: topic,
    queue: service.version === BROADCAST_VERSION ? undefined : service.version,
    peerId: undefined,
    ackTimeoutMs: 0,
  };
}

/** Reads a queue's node; `undefined` where it is none. */
export function readQueue(node: Node): QueueRecord | undefined {
  const pattern = node.metadata[KEYS.pattern];
  const queue = node.metadata[KEYS.queue];
  return pattern === undefined || queue === undefined ? undefined : { pattern, queue };
}

function record(name: string, version: string, node: Node): Service {
  return { name, version, metadata: {}, endpoints: [], nodes: [node] };
}
