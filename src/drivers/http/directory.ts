import { type BrokerError, wrapError } from "../../errors.ts";
import type { Clock, Timer } from "../../internal/clock.ts";
import { Member } from "../../outbox/member.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import { queueLaneId } from "../../outbox/outbox.ts";
import { laneOf } from "../../outbox/subscribe-local.ts";
import type { Registry, RegistryEvent, Service, Watcher } from "../../registry.ts";
import { checkPattern, checkQueue } from "../../topics.ts";
import { GoCarrier } from "./go-carrier.ts";
import type { Peers } from "./peer.ts";
import { type QueueRecord, type RemoteSubscription, readQueue, readSubscription } from "./records.ts";
import { RemoteCarrier } from "./remote-carrier.ts";
import { SERVICE_NAMES } from "./wire.ts";

/** How often the registry is read anew, beside watching it, in milliseconds. */
const RESYNC_MS = 30_000;

/** How long a subscription that left is not believed to be back, in milliseconds: a slow look-up may still name it. */
const FORGET_MS = 60_000;

/** Messages that one subscription of another process may hold at once: each needs a connection. */
const REMOTE_WINDOW = 128;

/** What a {@link Directory} works with. */
export interface DirectoryParts {
  readonly registry: Registry;
  /** The same registry, served from memory. */
  readonly cache: Registry;
  readonly outbox: Outbox;
  readonly peers: Peers;
  readonly clock: Clock;
  /** This process: its own subscriptions are in the outbox already. */
  readonly peerId: string;
  /** Whether go-micro peers are reached too. */
  readonly goMicro: boolean;
  onError(error: BrokerError): void;
}

/** When a subscription left, and whether it said so itself: its id will not come back then. */
interface Left {
  readonly at: number;
  readonly forGood: boolean;
}

interface Known {
  readonly subscription: RemoteSubscription;
  readonly member: Member;
  readonly since: number;
}

/** Who subscribes to what in other processes, from the registry and from what peers tell: it keeps the outbox's lanes and members. */
export class Directory {
  readonly #parts: DirectoryParts;
  readonly #known = new Map<string, Known>();
  /** Subscriptions that left, by node id. */
  readonly #left = new Map<string, Left>();
  #watcher: Watcher | undefined;
  #resync: Timer | undefined;
  #closed = false;

  constructor(parts: DirectoryParts) {
    this.#parts = parts;
  }

  /** Watches first and then looks up, so that nothing falls between. */
  async open(): Promise<void> {
    this.#watcher = await this.#parts.cache.watch((event) => this.#onEvent(event));
    await this.#readAll();
    this.#armResync();
  }

  close(): void {
    this.#closed = true;
    this.#watcher?.close();
    this.#resync?.cancel();
  }

  /** The addresses of all other live Tidings processes: read afresh, since one that has just started must be told. */
  async otherPeers(): Promise<string[]> {
    const services = await this.#parts.registry.getService(SERVICE_NAMES.peers);
    return services.flatMap(({ nodes }) =>
      nodes.filter((node) => node.id !== this.#parts.peerId).map((node) => node.address),
    );
  }

  /** Adds what a record says, that was read at `seenAt` or is told just now. */
  add(service: Service, seenAt: number = Number.POSITIVE_INFINITY): void {
    if (this.#closed) return;
    for (const node of service.nodes) {
      if (service.name === SERVICE_NAMES.queues) {
        const queue = readQueue(node);
        if (queue !== undefined) this.addQueue(queue);
      } else {
        const subscription = readSubscription(service, node);
        if (subscription !== undefined && !this.#hasLeft(subscription.nodeId, seenAt))
          this.#addSubscription(subscription);
      }
    }
  }

  /** A queue exists: it gets every message from now on. */
  addQueue({ pattern, queue }: QueueRecord): void {
    if (!isValid(pattern, queue)) return;
    this.#parts.outbox.lane(queueLaneId(pattern, queue), "queue", pattern, queue);
  }

  /** A queue is gone, unless it has members. */
  removeQueue({ pattern, queue }: QueueRecord, reason: string): void {
    const { outbox } = this.#parts;
    const lane = outbox.lanes.get(queueLaneId(pattern, queue));
    if (lane !== undefined && lane.members.length === 0) outbox.removeLane(lane, reason);
  }

  /**
   * A subscription left: nothing more is offered to it. What it holds it may still answer for; a queue's messages go to
   * the other members, and a broadcast subscription's are given up.
   * @param forGood whether it ended. Otherwise only its record is gone, and may come back: go-micro uses an id again, and
   * a process that could not refresh its record in time registers anew.
   */
  remove(nodeId: string, forGood: boolean): void {
    this.#left.set(nodeId, { at: this.#parts.clock.now(), forGood });
    const known = this.#known.get(nodeId);
    if (known === undefined) return;
    this.#known.delete(nodeId);
    const { member } = known;
    const { lane } = member;
    member.leaving = true;
    if (lane === undefined) return;
    const { outbox } = this.#parts;
    const leave = () => {
      outbox.removeMember(member, false);
      if (lane.kind === "broadcast" && lane.members.length === 0) outbox.removeLane(lane, "its subscriber is gone");
    };
    if (member.entries.size === 0) leave();
    else void outbox.when(() => member.entries.size === 0).then(leave);
    if (lane.kind === "broadcast")
      for (const entry of [...lane.ready, ...lane.due, ...lane.delayed]) outbox.giveUp(entry, "its subscriber is gone");
  }

  // A look-up that was on its way may still name it, and so may its record until it is removed.
  #hasLeft(nodeId: string, seenAt: number): boolean {
    const left = this.#left.get(nodeId);
    if (left === undefined) return false;
    if (left.forGood || left.at >= seenAt) return true;
    this.#left.delete(nodeId);
    return false;
  }

  #addSubscription(subscription: RemoteSubscription): void {
    const { nodeId, pattern, queue, address, peerId, ackTimeoutMs } = subscription;
    const { outbox, peers, onError, goMicro } = this.#parts;
    if (peerId === this.#parts.peerId || this.#known.has(nodeId)) return;
    if (peerId === undefined && !goMicro) return;
    if (!isValid(pattern, queue)) return;
    const carrier =
      peerId === undefined
        ? new GoCarrier(nodeId, peers.at(address, false), outbox, onError)
        : new RemoteCarrier(nodeId, peers.at(address, true), ackTimeoutMs, {
            outbox,
            onGone: (id) => this.remove(id, true),
            onError,
          });
    const member = new Member(nodeId, REMOTE_WINDOW, carrier);
    this.#known.set(nodeId, { subscription, member, since: this.#parts.clock.now() });
    outbox.addMember(laneOf(outbox, { id: nodeId, pattern, queue }), member);
  }

  #onEvent({ action, service }: RegistryEvent): void {
    if (!WATCHED.has(service.name)) return;
    if (action !== "delete") return this.add(service);
    for (const node of service.nodes) {
      if (service.name !== SERVICE_NAMES.queues) this.remove(node.id, false);
      else {
        const queue = readQueue(node);
        if (queue !== undefined) this.removeQueue(queue, "its queue is gone");
      }
    }
  }

  async #readAll(): Promise<void> {
    const { registry, clock } = this.#parts;
    const startedAt = clock.now();
    // Not from the cache: it may not have heard yet of a subscription that its process has told of already.
    const services = (await Promise.all([...WATCHED].map((name) => registry.getService(name)))).flat();
    for (const service of services) this.add(service, startedAt);
    const named = new Set(services.flatMap(({ nodes }) => nodes.map((node) => node.id)));
    for (const [nodeId, { since }] of this.#known)
      if (since < startedAt && !named.has(nodeId)) this.remove(nodeId, false);
    for (const [nodeId, { at }] of this.#left) if (at + FORGET_MS < startedAt) this.#left.delete(nodeId);
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

const WATCHED: ReadonlySet<string> = new Set([SERVICE_NAMES.tidings, SERVICE_NAMES.goMicro, SERVICE_NAMES.queues]);

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
