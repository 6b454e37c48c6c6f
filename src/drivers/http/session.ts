import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
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
import { hasRoom, type OutboxLimits, outboxLimits } from "../../outbox/limits.ts";
import { Member } from "../../outbox/member.ts";
import { Outbox } from "../../outbox/outbox.ts";
import { outboxQueues } from "../../outbox/queues.ts";
import { restoreLegacy } from "../../outbox/restore.ts";
import { type Legacy, openStorage, type Storage } from "../../outbox/storage/storage.ts";
import { laneOf } from "../../outbox/subscribe-local.ts";
import { openRegistry } from "../../registries/by-name.ts";
import { type CachedRegistry, cache } from "../../registries/cache.ts";
import { keepRegistered, type Registration } from "../../registries/keep-registered.ts";
import { leftInTime, timed } from "../../registries/timed.ts";
import type { Registry } from "../../registry.ts";
import { formatAddress, parseAddress } from "./address.ts";
import { HttpAdmin } from "./admin.ts";
import { BacklogReport } from "./backlog-report.ts";
import { answerCalls } from "./calls.ts";
import { Directory } from "./directory.ts";
import { GoPeers } from "./go-peers.ts";
import { GoReceiver } from "./go-receiver.ts";
import { type HttpOptions, httpLimits } from "./options.ts";
import { ownCarrier } from "./own-carrier.ts";
import { PeerNetwork } from "./peer-network.ts";
import { Peers } from "./peers.ts";
import { QUEUE_TTL_MS, QueueRecords } from "./queue-records.ts";
import { ReceivingSubscriptions } from "./receiving-subscriptions.ts";
import { peerRecord, type SubscriptionDoor, subscriptionRecord } from "./records.ts";
import { openSecurity, unprotected } from "./security/open-security.ts";
import { ProofKey } from "./security/proof-key.ts";
import { Refusals } from "./security/refusals.ts";
import type { Security } from "./security/security.ts";
import { bindingWarnings } from "./security/warnings.ts";
import { PeerServer, type ServerHandlers, type ServerOptions } from "./server.ts";
import { SERVICE_NAMES } from "./service-names.ts";
import { Acceptor, refuseUpgrade } from "./wire/accept.ts";
import type { OwnSide } from "./wire/dial.ts";
import { Turn } from "./wire/turn.ts";

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
  /** Whether messages of this process may reach itself. */
  readonly hasSubscriptions: boolean;
  publish(publications: readonly Publication[]): void;
  subscribe(request: SubscribeRequest): Promise<DriverSubscription>;
  close(): Promise<void>;
}

/** Opens a session: the server listens, this process is registered, and who subscribes to what is known. */
export async function openSession(options: HttpOptions, context: DriverContext): Promise<HttpSession> {
  const registry = timed(await openRegistry(options.registry ?? "local", context.options.registryAddress));
  const { security, provesRegistry, warnings } = await openSecurity(options, registry);
  const { clock } = context;
  const proofKey = new ProofKey(security.proofKey, provesRegistry ? registry : undefined, () => clock.now());
  for (const warning of warnings) context.logger.warn({}, warning);
  const storage = await openOwnStorage(options, context);
  const session = new Session({ registry, security, proofKey, options, context, storage });
  try {
    await session.open();
  } catch (error) {
    await session.close().catch((second: unknown) => {
      context.onError(wrapError(second, "ERR_DRIVER", "Closing what a failed connect had opened failed"));
    });
    throw error;
  }
  return session;
}

interface SessionParts {
  readonly registry: Registry;
  readonly security: Security;
  readonly proofKey: ProofKey;
  readonly options: HttpOptions;
  readonly context: DriverContext;
  readonly storage: Storage | undefined;
}

async function openOwnStorage({ storage }: HttpOptions, context: DriverContext): Promise<Storage | undefined> {
  if (storage === undefined) return undefined;
  const { clock, options } = context;
  const onError = (error: BrokerError) => context.onError(error);
  return openStorage({ folder: storage, whenFull: options.whenFull, clock, onError });
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
  readonly #oldWire: boolean;
  readonly #server: PeerServer;
  /** Where go-micro peers come, if that is another door. */
  readonly #goServer: PeerServer | undefined;
  readonly #security: Security;
  readonly #own: () => OwnSide;
  readonly #turn = new Turn();
  #acceptor: Acceptor | undefined;
  readonly #peers: Peers;
  readonly #goPeers: GoPeers;
  readonly #directory: Directory;
  readonly #subscriptions: ReceivingSubscriptions;
  readonly #network: PeerNetwork;
  readonly #registrations = new Set<Registration>();
  readonly #queueRecords: QueueRecords;
  readonly #storage: Storage | undefined;
  readonly #limits: OutboxLimits;
  #report: BacklogReport | undefined;

  constructor({ registry, security, proofKey, options, context, storage }: SessionParts) {
    const { clock, options: common } = context;
    const onError = (error: BrokerError) => context.onError(error);
    const listen = parseAddress(options.address ?? "127.0.0.1:0");
    this.#registry = registry;
    this.#cache = cache(registry, { onError });
    this.#context = context;
    this.#security = security;
    this.#storage = storage;
    this.#limits = outboxLimits({ ...options, whenFull: common.whenFull });
    const isEncrypted = security.kind !== "none";
    // go-micro's peers prove nothing, but for a certificate: besides encryption they have to be asked for by name.
    this.#goMicro =
      (options.wire ?? (registry.sharedWithGoMicro && !isEncrypted ? "go-micro" : "tidings")) === "go-micro";
    this.#oldWire = this.#goMicro && options.oldWire === true;
    this.outbox = new Outbox({
      clock,
      ...this.#limits,
      keepsUnwanted: true,
      // A peer gets a message once for all its subscriptions, as long as no other comes between.
      oneByOne: true,
      journal: storage?.journal,
      onGiveUp: (message) => context.onGiveUp(message),
    });
    const limits = httpLimits(options.limits);
    const refusals = new Refusals(clock, onError);
    const refused = (why: string, from: string | undefined) => {
      refusals.note(why, from);
      void proofKey.renew();
    };
    this.#own = () => ({
      terms: {
        peerId: this.#peerId,
        address: this.address,
        maxMessageBytes: common.maxMessageBytes,
        idleMs: limits.idleTimeoutMs,
      },
      secret: proofKey.current,
      clock,
      turn: this.#turn,
      security,
      handshakeTimeoutMs: limits.handshakeTimeoutMs,
      refused,
    });
    const own = { queues: outboxQueues(this.outbox), deadLetters: outboxDeadLetters(this.outbox) };
    this.#subscriptions = new ReceivingSubscriptions(clock);
    this.#peers = new Peers({
      own: this.#own,
      outbox: this.outbox,
      subscriptions: this.#subscriptions,
      renewSecret: () => proofKey.renew(),
      answer: answerCalls({ ...own, addQueue: (queue) => this.#directory.addQueue(queue) }),
      onError,
    });
    const goSecure = security.goMicro !== "plain";
    this.#goPeers = new GoPeers(goSecure ? security : unprotected(undefined), clock);
    this.#directory = new Directory({
      registry,
      cache: this.#cache,
      outbox: this.outbox,
      peers: this.#peers,
      goPeers: this.#goPeers,
      clock,
      peerId: this.#peerId,
      goMicro: this.#goMicro,
      goSecure,
      oldWire: this.#oldWire,
      onError,
      warn: (text) => context.logger.warn({}, text),
    });
    this.#network = new PeerNetwork(this.#directory, this.#peers);
    this.#queueRecords = new QueueRecords(registry, this.#directory, this.#network, onError);
    const admin = new HttpAdmin(this.#network, own, this.#directory, this.#queueRecords);
    this.queues = admin.queues;
    this.deadLetters = admin.deadLetters;
    const goReceiver = new GoReceiver(this.outbox, this.#subscriptions, common.acceptTimeoutMs);
    const serverOptions = {
      listen,
      advertise: options.advertise === undefined ? undefined : parseAddress(options.advertise),
      acceptsGoMicro: this.#goMicro && (goSecure || !isEncrypted),
      limits,
      maxBodyBytes: common.maxMessageBytes * ENVELOPE_FACTOR + ENVELOPE_BYTES,
      security,
      refused,
    };
    const message = (id: string, text: string, response: ServerResponse) => goReceiver.receive(id, text, response);
    this.#server = new PeerServer(serverOptions, {
      message,
      upgrade: (request, socket, head) => this.#acceptor?.upgrade(request, socket, head),
    });
    if (this.#goMicro && isEncrypted && !goSecure) this.#goServer = goMicroServer(serverOptions, message);
  }

  get address(): string {
    return formatAddress(this.#server.address);
  }

  async open(): Promise<void> {
    await this.#server.listen();
    await this.#goServer?.listen();
    this.#warn();
    this.#acceptor = new Acceptor(this.#own, (connection) => this.#peers.accept(connection));
    // Registered before looking: whoever subscribes at the same time sees this process, or is seen by it.
    const record = peerRecord(this.#peerId, this.address, this.#security.metadata);
    const registration = await this.#keep(record);
    await this.#directory.open();
    if (this.#storage === undefined) return;
    await this.#restore(this.#storage.takeLegacy());
    const { clock, onError } = this.#context;
    this.#report = new BacklogReport({ registration, record, outbox: this.outbox, clock, onError });
    await this.#report.start();
    this.#storage.watch({
      hasRoom: (messages, bytes) => hasRoom(this.outbox, this.#limits, messages, bytes),
      take: (legacy) => {
        this.#restore(legacy).catch((error: unknown) =>
          this.#context.onError(wrapError(error, "ERR_REGISTRY", "Announcing a queue of the storage folder failed")),
        );
      },
    });
  }

  /** Who lives is known by now, so that what is for others is given up. */
  async #restore(legacy: Legacy): Promise<void> {
    const { journal } = this.#storage ?? {};
    if (journal === undefined) return;
    const queues = restoreLegacy(legacy, {
      outbox: this.outbox,
      journal,
      clock: this.#context.clock,
      queueTtlMs: QUEUE_TTL_MS,
      onGiveUp: (message) => this.#context.onGiveUp(message),
    });
    const removed = new Set(await this.#queueRecords.removed(queues));
    for (const queue of removed) this.#directory.removeQueue(queue, "its queue was removed");
    const staying = queues.filter((queue) => !removed.has(queue));
    await Promise.all(staying.map((queue) => this.#queueRecords.create(queue)));
  }

  get hasSubscriptions(): boolean {
    return this.#subscriptions.size > 0;
  }

  publish(publications: readonly Publication[]): void {
    // These are all that were published in this turn, as a rule.
    this.#turn.together(() => this.outbox.publish(publications, this.#context.options.acceptTimeoutMs, this));
  }

  async subscribe(request: SubscribeRequest): Promise<DriverSubscription> {
    const { outbox } = this;
    const { pattern, queue } = request;
    const lane = laneOf(outbox, request);
    const receiving = this.#subscriptions.add(request);
    const member = new Member(request.id, request.prefetch, ownCarrier(outbox, request, receiving.places));
    outbox.addMember(lane, member);
    const registrations: Registration[] = [];
    let stopped: Promise<void> | undefined;
    let closed = false;
    const stop = async () => {
      member.leave();
      this.#subscriptions.remove(receiving);
      receiving.places.close();
      this.#peers.withdraw(receiving);
      await Promise.all([
        // Whoever comes later is not told of it at all.
        this.#peers.agree([]),
        ...registrations.map((registration) => this.#drop(registration)),
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
        outbox.removeMember(member, false);
        // What it gave back is in its place in line again before whoever comes next takes what is behind it.
        if (!disconnecting) await this.#peers.tell();
        if (queue !== undefined) await this.#queueRecords.leave({ pattern, queue });
        if (lane.kind !== "broadcast") return;
        // What is on disk is given up when it is clear that nobody comes for it: at the next start.
        if (disconnecting && this.#storage !== undefined) return;
        const lost = outbox.removeLane(lane, disconnecting ? "its subscriber disconnected" : undefined);
        if (disconnecting) this.abandoned += lost.filter((message) => message.owner === this).length;
      },
    };
    try {
      if (queue !== undefined) await this.#queueRecords.join({ pattern, queue });
      // go-micro peers find it in the registry; Tidings peers are told.
      for (const name of this.#goNames)
        registrations.push(await this.#keep({ ...subscriptionRecord(request, this.#goDoor), name }));
      this.#peers.announce(receiving);
      await this.#network.agree();
    } catch (error) {
      await subscription.stop();
      await subscription.close(false);
      throw error;
    }
    return subscription;
  }

  async close(): Promise<void> {
    this.#directory.close();
    this.#report?.close();
    this.outbox.close();
    // Before anything is waited for: an answer that still came would set off retries, and with them timers.
    this.#goPeers.close();
    this.#acceptor?.close();
    await Promise.all([
      this.#peers.close(),
      ...[...this.#registrations].map((registration) => this.#drop(registration)),
      this.#queueRecords.close(),
    ]);
    this.#cache.close();
    await Promise.all([this.#server.close(), this.#goServer?.close(), this.#storage?.close()]);
  }

  /** The names under which go-micro peers look for its subscriptions. */
  get #goNames(): readonly string[] {
    if (!this.#goMicro) return [];
    return this.#oldWire ? [SERVICE_NAMES.goMicro, SERVICE_NAMES.oldGoMicro] : [SERVICE_NAMES.goMicro];
  }

  /** Where go-micro peers reach this process. */
  get #goDoor(): SubscriptionDoor {
    const address = formatAddress((this.#goServer ?? this.#server).address);
    return { address, peerId: this.#peerId, goMicro: true, secure: this.#security.goMicro !== "plain" };
  }

  #warn(): void {
    const { listening } = this.#server;
    const goDoor =
      this.#goServer?.listening ?? (this.#goMicro && this.#security.kind !== "none" ? listening : undefined);
    const goMicro = goDoor === undefined ? undefined : formatAddress(goDoor);
    for (const warning of bindingWarnings({ listening, security: this.#security, goMicro }))
      this.#context.logger.warn({ address: formatAddress(listening) }, warning);
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
      await leftInTime(registration.stop());
    } catch (error) {
      this.#context.onError(wrapError(error, "ERR_REGISTRY", "Deregistering failed; the record ends with its TTL"));
    }
  }
}

/** The door of go-micro peers where the other one is encrypted: the same host, another port, and no encryption. */
function goMicroServer(options: ServerOptions, message: ServerHandlers["message"]): PeerServer {
  const { listen, advertise } = options;
  return new PeerServer(
    {
      ...options,
      listen: { host: listen.host, port: 0 },
      advertise: advertise === undefined ? undefined : { host: advertise.host, port: 0 },
      acceptsGoMicro: true,
      security: unprotected(undefined),
    },
    { message, upgrade: (_request, socket) => refuseUpgrade(socket, 400, "there is no such protocol here") },
  );
}
