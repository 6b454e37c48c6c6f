import { createHash } from "node:crypto";
import type { SubscribeRequest } from "../../driver.ts";
import type { Node, Service } from "../../registry.ts";
import { isPattern } from "../../topics.ts";
import { BROADCAST_VERSION, SERVICE_NAMES } from "./service-names.ts";
import { WIRE_VERSION } from "./wire/frames.ts";

/** Metadata keys of Tidings nodes, beside go-micro's `broker`, `secure` and `topic`. */
const KEYS = {
  /** Says that the node is of a Tidings process, and which versions of the wire it speaks. */
  wires: "tidings-wires",
  /** The process that it belongs to. */
  peer: "tidings-peer",
  pattern: "tidings-pattern",
  queue: "tidings-queue",
  /** Says of a queue's record that the queue was removed, until it is made again. */
  removed: "tidings-removed",
} as const;

/** A subscription of a go-micro process, as its record tells it. */
export interface GoSubscription {
  readonly nodeId: string;
  readonly address: string;
  readonly topic: string;
  readonly queue: string | undefined;
  /** Whether it is reached over TLS. */
  readonly secure: boolean;
  /** Whether it is reached by go-micro's older wire. */
  readonly oldWire: boolean;
}

/** A queue, as its record tells it. */
export interface QueueRecord {
  readonly pattern: string;
  readonly queue: string;
}

/** What a record says of a Tidings subscription. */
export type SubscriptionContent = Pick<SubscribeRequest, "id" | "pattern" | "queue">;

/** Where a subscription is reached, and by whom. */
export interface SubscriptionDoor {
  readonly address: string;
  readonly peerId: string;
  readonly goMicro: boolean;
  /** Whether it is reached over TLS. */
  readonly secure: boolean;
}

/** The record of a Tidings subscription: in the registry only where go-micro peers may reach it. */
export function subscriptionRecord(
  { id, pattern, queue }: SubscriptionContent,
  { address, peerId, goMicro, secure }: SubscriptionDoor,
): Service {
  const metadata: Record<string, string> = { broker: "http", secure: String(secure) };
  // go-micro publishers match this key with the topic to the letter, so that a pattern must not stand there.
  if (!isPattern(pattern)) metadata["topic"] = pattern;
  metadata[KEYS.wires] = WIRE_VERSION;
  metadata[KEYS.peer] = peerId;
  metadata[KEYS.pattern] = pattern;
  if (queue !== undefined) metadata[KEYS.queue] = queue;
  return record(goMicro ? SERVICE_NAMES.goMicro : SERVICE_NAMES.tidings, queue ?? BROADCAST_VERSION, {
    id,
    address,
    metadata,
  });
}

/** The record of this process. `security`: what it tells of how it is reached. */
export function peerRecord(peerId: string, address: string, security: Readonly<Record<string, string>> = {}): Service {
  const metadata = { [KEYS.wires]: WIRE_VERSION, ...security };
  return record(SERVICE_NAMES.peers, "1", { id: peerId, address, metadata });
}

/** The record of a queue, or of one that was removed: no process answers for it. */
export function queueRecord({ pattern, queue }: QueueRecord, removed = false): Service {
  const id = createHash("sha256").update(`${pattern}\u0000${queue}`).digest("hex").slice(0, 40);
  const metadata = { [KEYS.pattern]: pattern, [KEYS.queue]: queue, ...(removed ? { [KEYS.removed]: "true" } : {}) };
  return record(SERVICE_NAMES.queues, "1", { id, address: "", metadata });
}

/** Reads a go-micro subscription's node; `undefined` where it is none: those of Tidings processes are told over their wire. */
export function readGoSubscription(service: Service, node: Node): GoSubscription | undefined {
  const { metadata, id: nodeId, address } = node;
  const topic = metadata["topic"];
  const oldWire = service.name === SERVICE_NAMES.oldGoMicro;
  if (
    metadata[KEYS.wires] !== undefined ||
    (service.name !== SERVICE_NAMES.goMicro && !oldWire) ||
    metadata["broker"] !== "http" ||
    !topic ||
    // go-micro has no patterns: such a topic is meant to the letter, and is none of ours.
    isPattern(topic)
  )
    return undefined;
  const queue = service.version === BROADCAST_VERSION ? undefined : service.version;
  return { nodeId, address, topic, queue, secure: metadata["secure"] === "true", oldWire };
}

/** Reads a queue's node; `undefined` where it is none. */
export function readQueue(node: Node): QueueRecord | undefined {
  const pattern = node.metadata[KEYS.pattern];
  const queue = node.metadata[KEYS.queue];
  return pattern === undefined || queue === undefined ? undefined : { pattern, queue };
}

/** Whether a queue's node says that it was removed. */
export function isRemoved(node: Node): boolean {
  return node.metadata[KEYS.removed] !== undefined;
}

function record(name: string, version: string, node: Node): Service {
  return { name, version, metadata: {}, endpoints: [], nodes: [node] };
}
