import { randomUUID } from "node:crypto";
import type {
  DeadLetterAdmin,
  DriverContext,
  DriverSubscription,
  Publication,
  QueueAdmin,
  SubscribeRequest,
} from "../../driver.ts";
import { type BrokerError, wrapError } from "../../errors.ts";
import { outboxDeadLetters } from "../../outbox/dead-letters.ts";
import { outboxLimits } from "../../outbox/limits.ts";
import { Member } from "../../outbox/member.ts";
import { Outbox } from "../../outbox/outbox.ts";
import { outboxQueues } from "../../outbox/queues.ts";
import { laneOf } from "../../outbox/subscribe-local.ts";
import { openRegistry } from "../../registries/by-name.ts";
import { type CachedRegistry, cache } from "../../registries/cache.ts";
import { keepRegistered, type Registration } from "../../registries/keep-registered.ts";
import type { Registry } from "../../registry.ts";
import { HttpAdmin } from "./admin.ts";
import { Directory } from "./directory.ts";
import { gatedCarrier } from "./gated-carrier.ts";
import { formatAddress, type HttpOptions, httpLimits, isLoopback, parseAddress } from "./options.ts";
import { Peers } from "./peer.ts";
import { PeerNetwork } from "./peer-network.ts";
import { QueueRecords } from "./queue-records.ts";
import { Receiver } from "./receiver.ts";
import { peerRecord, subscriptionRecord } from "./records.ts";
import { PeerServer } from "./server.ts";

/** The longest JSON of a byte of a message: an escaped control character in a header. */
const ENVELOPE_FACTOR = 6;

/** Room in a request for the envelope itself, in bytes. */
const ENVELOPE_BYTES = 64 * 1024;

/** Everything between connect and disconnect. */
export interface HttpSession {
  readonly address: string;
  readonly outbox: Outbox;
  readonly queues: QueueAdmin;
  readonly deadLetters: DeadLetterAdmin;
  /** Messages of its own that only its own disconnecting subscriptions wanted. */
  readonly abandoned: number;
  publish(publication: Publication): void;
  subscribe(request: SubscribeRequest): Promise<DriverSubscription>;
  close(): Promise<void>;
}

/** Opens a session: the server listens, this process is registered, and who subscribes to what is known. */
export async function openSession(options: HttpOptions, context: DriverContext): Promise<HttpSession> {
  const registry = await openRegistry(options.registry ?? "local", context.options.registryAddress);
  const session = new Session(registry, await registry.secret?.(), options, context);
  try {
    await session.open();
  } catch (error) {
    await session.close();
    throw error;
  }
  return session;
}

class Session implements HttpSession {
  readonly outbox: Outbox;
  readonly queues: QueueAdmin;
  readonly deadLetters: DeadLetterAdmin;
  abandoned = 0;
  readonly #peerId = randomUUID();
  readonly #registry: Registry;
  /** What is looked up again and again is served from here. */
  readonly #cache: CachedRegistry;
  readonly #context: DriverContext;
  readonly #goMicro: boolean;
  readonly #server: PeerServer;
  readonly #peers: Peers;
  readonly #directory: Directory;
  readonly #receiver: Receiver;
  readonly #network: PeerNetwork;
  readonly #registrations = new Set<Registration>();
  readonly #queueRecords: QueueRecords;

  constructor(registry: Registry, secret: Uint8Array | undefined, options: HttpOptions, context: DriverContext) {
    const { clock, options: common } = context;
    const onError = (error: BrokerError) => context.onError(error);
    const listen = parseAddress(options.address ?? "127.0.0.1:0");
    this.#registry = registry;
    this.#cache = cache(registry, { onError });
    this.#context = context;
    this.#goMicro = (options.wire ?? (registry.sharedWithGoMicro ? "go-micro" : "tidings")) === "go-micro";
    this.outbox = new Outbox({
      clock,
      ...outboxLimits({ ...common, ...backlogOf(options) }),
      keepsUnwanted: true,
      onGiveUp: (message) => context.onGiveUp(message),
    });
    this.#peers = new Peers(secret, clock);
    this.#directory = new Directory({
      registry,
      cache: this.#cache,
      outbox: this.outbox,
      peers: this.#peers,
      clock,
      peerId: this.#peerId,
      goMicro: this.#goMicro,
      onError,
    });
    this.#receiver = new Receiver(this.outbox, clock, common.acceptTimeoutMs);
    const own = { queues: outboxQueues(this.outbox), deadLetters: outboxDeadLetters(this.outbox) };
    this.#network = new PeerNetwork(this.#directory, this.#peers, context, own);
    this.#queueRecords = new QueueRecords(registry, this.#directory, this.#network, onError);
    const admin = new HttpAdmin(this.#network, own, this.#directory, this.#queueRecords);
    this.queues = admin.queues;
    this.deadLetters = admin.deadLetters;
    this.#server = new PeerServer(
      {
        listen,
        advertise: options.advertise === undefined ? undefined : parseAddress(options.advertise),
        secret,
        acceptsGoMicro: this.#goMicro,
        limits: httpLimits(options.limits),
        maxBodyBytes: common.maxMessageBytes * ENVELOPE_FACTOR + ENVELOPE_BYTES,
      },
      {
        message: (id, request, text, response) => this.#receiver.receive(id, request.headers, text, response),
        call: (name, argument) => this.#network.answer(name, argument),
      },
    );
    if (!isLoopback(listen.host)) warnOfWideBinding(context, formatAddress(listen));
  }

  get address(): string {
    return formatAddress(this.#server.address);
  }

  async open(): Promise<void> {
    await this.#server.listen();
    // Registered before looking: whoever subscribes at the same time sees this process, or is seen by it.
    await this.#keep(peerRecord(this.#peerId, this.address));
    await this.#directory.open();
  }

  publish(publication: Publication): void {
    this.outbox.publish(publication, this.#context.options.acceptTimeoutMs, this);
  }

  async subscribe(request: SubscribeRequest): Promise<DriverSubscription> {
    const { outbox } = this;
    const { pattern, queue } = request;
    const lane = laneOf(outbox, request);
    const receiving = this.#receiver.add(request);
    const member = new Member(request.id, request.prefetch, gatedCarrier(outbox, request, receiving.gate));
    outbox.addMember(lane, member);
    const record = subscriptionRecord(request, this.address, this.#peerId, this.#goMicro);
    let registration: Registration | undefined;
    let stopped: Promise<void> | undefined;
    let closed = false;
    const stop = async () => {
      member.leaving = true;
      receiving.gate.close();
      await Promise.all([
        this.#network.tell("left", { nodeId: request.id }),
        registration === undefined ? undefined : this.#drop(registration),
      ]);
    };
    const subscription: DriverSubscription = {
      stop: () => {
        stopped ??= stop();
        return stopped;
      },
      close: async (disconnecting) => {
        if (closed) return;
        closed = true;
        this.#receiver.remove(request.id);
        outbox.removeMember(member, false);
        if (queue !== undefined) await this.#queueRecords.leave({ pattern, queue });
        if (lane.kind !== "broadcast") return;
        const lost = outbox.removeLane(lane, disconnecting ? "its subscriber disconnected" : undefined);
        if (disconnecting) this.abandoned += lost.filter((message) => message.owner === this).length;
      },
    };
    try {
      if (queue !== undefined) await this.#queueRecords.join({ pattern, queue });
      registration = await this.#keep(record);
      await this.#network.tell("added", record);
    } catch (error) {
      await subscription.stop();
      await subscription.close(false);
      throw error;
    }
    return subscription;
  }

  async close(): Promise<void> {
    this.#directory.close();
    this.outbox.close();
    // Before anything is waited for: an answer that still came would set off retries, and with them timers.
    this.#peers.close();
    await Promise.all([
      ...[...this.#registrations].map((registration) => this.#drop(registration)),
      this.#queueRecords.close(),
    ]);
    this.#cache.close();
    await this.#server.close();
  }

  async #keep(record: Parameters<Registry["register"]>[0]): Promise<Registration> {
    const registration = await keepRegistered(this.#registry, record, {
      onError: (error) => this.#context.onError(error),
    });
    this.#registrations.add(registration);
    return registration;
  }

  async #drop(registration: Registration): Promise<void> {
    this.#registrations.delete(registration);
    try {
      await registration.stop();
    } catch (error) {
      this.#context.onError(wrapError(error, "ERR_REGISTRY", "Deregistering failed; the record ends with its TTL"));
    }
  }
}

function backlogOf({
  backlogMessages,
  backlogBytes,
  backlogAgeMs,
}: HttpOptions): Pick<HttpOptions, "backlogMessages" | "backlogBytes" | "backlogAgeMs"> {
  return {
    ...(backlogMessages === undefined ? {} : { backlogMessages }),
    ...(backlogBytes === undefined ? {} : { backlogBytes }),
    ...(backlogAgeMs === undefined ? {} : { backlogAgeMs }),
  };
}

function warnOfWideBinding(context: DriverContext, address: string): void {
  context.logger.warn(
    { address },
    `The HTTP broker listens on ${address}, beyond this host, and this version has neither encryption nor certificates: anybody who can reach it can read what is sent. Bind to 127.0.0.1, or to a network that you trust.`,
  );
}
