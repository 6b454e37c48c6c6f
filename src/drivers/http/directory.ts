import { type BrokerError, wrapError } from "../../errors.ts";
import type { Clock, Timer } from "../../internal/clock.ts";
import { queueLaneId } from "../../outbox/lane-ids.ts";
import { Member } from "../../outbox/member.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import { laneOf } from "../../outbox/subscribe-local.ts";
import type { Node, Registry, RegistryEvent, Service, Watcher } from "../../registry.ts";
import { checkPattern, checkQueue } from "../../topics.ts";
import { GoCarrier } from "./go-carrier.ts";
import type { GoPeers } from "./go-peers.ts";
import { leaveLane } from "./leave-lane.ts";
import type { Peers } from "./peers.ts";
import { type GoSubscription, isRemoved, type QueueRecord, readGoSubscription, readQueue } from "./records.ts";
import { SERVICE_NAMES } from "./service-names.ts";

/** How often the registry is read anew, beside watching it, in milliseconds. */
const RESYNC_MS = 30_000;

/** Messages that one go-micro subscription may hold at once: each needs a connection. */
const GO_WINDOW = 128;

/** What a {@link Directory} works with. */
export interface DirectoryParts {
  readonly registry: Registry;
  /** The same registry, served from memory. */
  readonly cache: Registry;
  readonly outbox: Outbox;
  readonly peers: Peers;
  readonly goPeers: GoPeers;
  readonly clock: Clock;
  /** This process. */
  readonly peerId: string;
  /** Whether go-micro peers are reached too. */
  readonly goMicro: boolean;
  /** Whether those that want TLS are, and no others. */
  readonly goSecure: boolean;
  /** Whether those of the older wire are. */
  readonly oldWire: boolean;
  warn(text: string): void;
  onError(error: BrokerError): void;
}

/** A go-micro subscription that messages go to. */
interface Known {
  readonly member: Member;
  readonly since: number;
  /** Where it is. */
  readonly address: string;
}

/**
 * What the registry says: which processes there are to connect to, which queues, and which go-micro subscriptions. It is
 * watched, and read again from time to time for what a watch may miss.
 */
export class Directory {
  readonly #parts: DirectoryParts;
  readonly #watched: ReadonlySet<string>;
  /** go-micro subscriptions, by node id. */
  readonly #known = new Map<string, Known>();
  /** go-micro subscriptions that cannot be reached as they want it, by node id. */
  readonly #passedOver = new Set<string>();
  /** When a go-micro subscription's record was removed, by node id: a look-up that was on its way may still name it. */
  readonly #left = new Map<string, number>();
  #watcher: Watcher | undefined;
  #resync: Timer | undefined;
  #closed = false;

  constructor(parts: DirectoryParts) {
    this.#parts = parts;
    const names: string[] = [SERVICE_NAMES.peers, SERVICE_NAMES.queues];
    if (parts.goMicro) names.push(SERVICE_NAMES.goMicro);
    if (parts.goMicro && parts.oldWire) names.push(SERVICE_NAMES.oldGoMicro);
    this.#watched = new Set(names);
  }

  /** Watches first and then looks up, so that nothing falls between; resolves when every process has told its subscriptions. */
  async open(): Promise<void> {
    this.#watcher = await this.#parts.cache.watch((event) => this.#onEvent(event));
    await this.#readAll();
    await this.#parts.peers.connect(await this.otherPeers());
    this.#armResync();
  }

  close(): void {
    this.#closed = true;
    this.#watcher?.close();
    this.#resync?.cancel();
  }

  /** All other live Tidings processes: read afresh, since one that has just started must be told. */
  async otherPeers(): Promise<Node[]> {
    return this.#others(await this.#parts.registry.getService(SERVICE_NAMES.peers));
  }

  /** A queue exists: it gets every message from now on. */
  addQueue({ pattern, queue }: QueueRecord): void {
    if (!isValid(pattern, queue)) return;
    this.#parts.outbox.lanes.open(queueLaneId(pattern, queue), "queue", pattern, queue);
  }

  /** A queue is gone, unless it has members. */
  removeQueue({ pattern, queue }: QueueRecord, reason: string): void {
    const { outbox } = this.#parts;
    const lane = outbox.lanes.get(queueLaneId(pattern, queue));
    if (lane !== undefined && lane.members.length === 0) outbox.removeLane(lane, reason);
  }

  #others(services: readonly Service[]): Node[] {
    return services.flatMap(({ nodes }) => nodes.filter((node) => node.id !== this.#parts.peerId));
  }

  #onEvent({ action, service }: RegistryEvent): void {
    if (this.#closed || !this.#watched.has(service.name)) return;
    for (const node of service.nodes) {
      if (action !== "delete") this.#add(service, node, Number.POSITIVE_INFINITY);
      else this.#remove(service, node);
    }
  }

  /** What a record says that was read at `seenAt`, in milliseconds since the epoch. */
  #add(service: Service, node: Node, seenAt: number): void {
    if (this.#closed) return;
    if (service.name === SERVICE_NAMES.peers) {
      if (node.id !== this.#parts.peerId) this.#parts.peers.notice(node);
    } else if (service.name === SERVICE_NAMES.queues) {
      const queue = readQueue(node);
      if (queue !== undefined && !isRemoved(node)) this.addQueue(queue);
      // One that was read may have been made again meanwhile.
      else if (queue !== undefined && seenAt === Number.POSITIVE_INFINITY)
        this.removeQueue(queue, "its queue was removed");
    } else {
      const subscription = readGoSubscription(service, node);
      const leftAt = this.#left.get(node.id);
      if (subscription !== undefined && (leftAt === undefined || leftAt < seenAt)) this.#addGo(subscription);
    }
  }

  #remove(service: Service, node: Node): void {
    if (service.name === SERVICE_NAMES.peers) this.#parts.peers.unlisted(node.id);
    else if (service.name === SERVICE_NAMES.queues) {
      const queue = readQueue(node);
      if (queue !== undefined) this.removeQueue(queue, "its queue is gone");
    } else this.#removeGo(node.id);
  }

  #addGo(subscription: GoSubscription): void {
    const { nodeId, topic, queue, address, secure, oldWire } = subscription;
    const { outbox, goPeers, onError, clock } = this.#parts;
    this.#left.delete(nodeId);
    if (this.#known.has(nodeId) || !isValid(topic, queue)) return;
    if (secure !== this.#parts.goSecure) return this.#passOver(subscription);
    const carrier = new GoCarrier(nodeId, goPeers.at(address), outbox, onError, oldWire);
    const member = new Member(nodeId, GO_WINDOW, carrier);
    this.#known.set(nodeId, { member, address, since: clock.now() });
    outbox.addMember(laneOf(outbox, { id: nodeId, pattern: topic, queue }), member);
  }

  #passOver({ nodeId, topic, address, secure }: GoSubscription): void {
    if (this.#passedOver.has(nodeId)) return;
    this.#passedOver.add(nodeId);
    const why = secure
      ? "it wants TLS, and this broker lacks tls"
      : "it is not reached over TLS, and this broker has tls";
    this.#parts.warn(`The go-micro subscription to ${topic} at ${address} gets nothing from here: ${why}.`);
  }

  #removeGo(nodeId: string): void {
    this.#passedOver.delete(nodeId);
    this.#left.set(nodeId, this.#parts.clock.now());
    const known = this.#known.get(nodeId);
    if (known === undefined) return;
    this.#known.delete(nodeId);
    leaveLane(this.#parts.outbox, known.member, () => this.#parts.goPeers.leave(known.address));
  }

  async #readAll(): Promise<void> {
    const { registry, clock, peers } = this.#parts;
    const startedAt = clock.now();
    // Not from the cache: it may not have heard yet of what has just been registered.
    const services = (await Promise.all([...this.#watched].map((name) => registry.getService(name)))).flat();
    if (this.#closed) return;
    for (const service of services)
      if (service.name !== SERVICE_NAMES.peers) for (const node of service.nodes) this.#add(service, node, startedAt);
    peers.compare(this.#others(services.filter(({ name }) => name === SERVICE_NAMES.peers)));
    const named = new Set(services.flatMap(({ nodes }) => nodes.map((node) => node.id)));
    for (const [nodeId, { since }] of this.#known) if (since < startedAt && !named.has(nodeId)) this.#removeGo(nodeId);
    for (const [nodeId, at] of this.#left) if (at + RESYNC_MS < startedAt) this.#left.delete(nodeId);
  }

  #armResync(): void {
    if (this.#closed) return;
    this.#resync = this.#parts.clock.after(RESYNC_MS, () => {
      this.#readAll()
        .catch((error: unknown) => this.#parts.onError(wrapError(error, "ERR_REGISTRY", "Reading the registry failed")))
        .finally(() => this.#armResync());
    });
  }
}

/** Records come from outside: one with a topic or queue that is none is passed over. */
function isValid(pattern: string, queue: string | undefined): boolean {
  try {
    checkPattern(pattern);
    if (queue !== undefined) checkQueue(queue);
    return true;
  } catch {
    // The checks throw for nothing else.
    return false;
  }
}
