import type { ChannelModel } from "amqplib";
import type { DriverContext, DriverSubscription, Publication, SubscribeRequest } from "../../driver.ts";
import { BrokerError, wrapError } from "../../errors.ts";
import { isDeadLetterTopic } from "../../topics.ts";
import type { Client } from "./client.ts";
import { Copies } from "./copies.ts";
import { countQueues } from "./count-queues.ts";
import { RabbitmqDeadLetters } from "./dead-letter-admin.ts";
import { Excuses } from "./excuses.ts";
import { type Holdings, Inquiry } from "./inquiry.ts";
import { Link } from "./link.ts";
import { Names, routingKey } from "./names.ts";
import { encode, type NativeMessage } from "./native-message.ts";
import type { Settings } from "./options.ts";
import { PublishWindow, type Routed, type Sending } from "./publish-window.ts";
import { RabbitmqQueues } from "./queue-admin.ts";
import { QueueLocks } from "./queue-locks.ts";
import { QueueRecords } from "./queue-records.ts";
import { Servers } from "./servers.ts";
import { Session } from "./session.ts";
import { sourceOf } from "./source.ts";
import { RabbitmqSubscription } from "./subscription.ts";
import { Topology } from "./topology.ts";

/** On how many connections a call is tried before its error is told. */
const MAX_TRIES = 5;

/** A connected driver: everything between one `connect` and its `disconnect`, over any number of connections. */
export class RabbitmqBroker {
  readonly queues: RabbitmqQueues;
  readonly deadLetters: RabbitmqDeadLetters;
  readonly #settings: Settings;
  readonly #context: DriverContext;
  readonly #names: Names;
  readonly #link: Link;
  readonly #window: PublishWindow;
  readonly #copies: Copies;
  readonly #excuses: Excuses;
  readonly #inquiry: Inquiry;
  readonly #records: QueueRecords;
  /** The connection that was opened last. */
  #newest: Session | undefined;
  readonly #locks: QueueLocks;
  readonly #topologies = new WeakMap<Session, Topology>();
  readonly #subscriptions = new Set<RabbitmqSubscription>();
  /** The last publish to each dead-letter topic that still waits for its standing queue, to keep their order. */
  readonly #standing = new Map<string, Promise<void>>();

  constructor(client: Client, settings: Settings, context: DriverContext) {
    const servers = new Servers(settings.servers);
    this.#settings = settings;
    this.#context = context;
    this.#names = new Names(settings.prefix);
    this.#window = new PublishWindow(settings.confirmWindow, context.clock, (error) => context.onError(error));
    this.#link = new Link(
      {
        open: () => Session.open(client, settings, servers, context.options.connectTimeoutMs),
        restore: (session) => this.#restore(session),
        lost: (error) => this.#window.detach(error),
        ended: (error) => this.#window.close(error),
      },
      context,
    );
    const topology = async () => (await this.#usable()).topology;
    const shared = { window: this.#window, clock: context.clock, topology: () => this.#usable() };
    const names = this.#names;
    const persist: typeof this.persist = (work) => this.persist(work);
    this.#locks = new QueueLocks(names, context.clock);
    this.#copies = new Copies(names, this.#window, context.clock, topology);
    this.#excuses = new Excuses(shared);
    this.#inquiry = new Inquiry({
      names,
      window: this.#window,
      clock: context.clock,
      holdings: () => this.#holdings(),
      bindAgain: (session) => this.#topologyOf(session).bindAgain(this.#patterns()),
      onError: (error, what) => context.onError(wrapError(error, "ERR_DRIVER", what, { driver: "rabbitmq" })),
    });
    const locks = this.#locks;
    this.#records = new QueueRecords(shared);
    const admin = { names, locks, persist, inquiry: this.#inquiry, records: this.#records };
    this.queues = new RabbitmqQueues(admin);
    const makeQueue = (pattern: string, queue: string) => this.queues.create(pattern, queue);
    this.deadLetters = new RabbitmqDeadLetters({ ...admin, copies: this.#copies, makeQueue });
  }

  /** The server's in use, for people; of all servers while the connection is being restored. */
  get address(): string {
    return this.#link.session?.address ?? this.#settings.address;
  }

  /** The client's connection. */
  get native(): ChannelModel {
    const { session } = this.#link;
    if (session === undefined)
      throw new BrokerError("ERR_NOT_CONNECTED", "The connection to RabbitMQ is being restored.", {
        driver: "rabbitmq",
      });
    return session.model;
  }

  async connect(signal: AbortSignal): Promise<void> {
    await this.#link.start(signal);
  }

  publish(publication: Publication): void {
    try {
      const { topic } = publication;
      const key = routingKey(topic);
      if (!isDeadLetterTopic(topic)) return this.#send(publication, this.#names.messages, key);
      const earlier = this.#standing.get(topic) ?? Promise.resolve();
      const sent = earlier.then(() => this.#sendToStanding(publication, key));
      this.#standing.set(topic, sent);
      void sent.then(() => {
        if (this.#standing.get(topic) === sent) this.#standing.delete(topic);
      });
    } catch (error) {
      publication.fail(wrapError(error, "ERR_DRIVER", "Publishing failed", { driver: "rabbitmq" }));
    }
  }

  async subscribe(request: SubscribeRequest): Promise<DriverSubscription> {
    const source = sourceOf(request, this.#names);
    const subscription = new RabbitmqSubscription(request, {
      source: {
        ...source,
        declare: async (topology) => {
          const { pattern, queue } = request;
          const { session } = topology;
          if (source.countsDeaths) await this.#excuses.prepare();
          if (queue !== undefined || source.own) await this.#inquiry.listen(session);
          if (queue !== undefined) await this.queues.make(session, topology, { topic: pattern, queue });
          else if (source.own) await source.declare(topology);
          else await this.#locks.hold(session, source.queue, () => source.declare(topology));
        },
      },
      context: this.#context,
      copies: this.#copies,
      excuses: this.#excuses,
      session: () => this.#link.session,
      topologyOf: (on) => this.#topologyOf(on),
      persist: (work) => this.persist(work),
    });
    await this.persist(async (session) => {
      await subscription.attach(session);
      this.#subscriptions.add(subscription);
    });
    return {
      stop: () => subscription.stop(),
      close: async () => {
        this.#subscriptions.delete(subscription);
        await subscription.close();
      },
    };
  }

  /** Does something that may be done twice on the connection, and again on the next one where it breaks. */
  async persist<T>(work: (session: Session, topology: Topology) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      const { session, topology } = await this.#up();
      try {
        return await work(session, topology);
      } catch (error) {
        if (session.alive || tries >= MAX_TRIES) throw error;
      }
    }
  }

  async disconnect(deadlineAt: number): Promise<void> {
    const error = new BrokerError("ERR_NOT_CONNECTED", "The broker was closed before RabbitMQ confirmed the message.", {
      driver: "rabbitmq",
    });
    const session = this.#link.stop();
    this.#window.close(error);
    await session?.close(this.#context.clock, deadlineAt);
  }

  /** Puts everything on a connection: the first one, or the next. */
  async #restore(session: Session): Promise<void> {
    await this.#makeExchanges(session);
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.reattach(session)));
    this.#window.resume(session);
  }

  /**
   * Makes the exchanges. Where one was missing, every queue that was bound to it is bound again before anything is published: also
   * what others find to be gone waits for that.
   */
  async #makeExchanges(session: Session): Promise<void> {
    const topology = this.#topologyOf(session);
    const make = async (unbound: boolean): Promise<void> => {
      await topology.base();
      await this.#window.attach(session);
      this.#newest = session;
      if (unbound) await this.#bindAll(session, topology);
    };
    if (!this.#window.exchangeGone && !(await topology.isUnbound())) return make(false);
    await this.#locks.hold(session, this.#names.messages, async () => make(await topology.isUnbound()));
  }

  /** Binds every queue again: those that are recorded, and those that only their subscribers know. */
  async #bindAll(session: Session, topology: Topology): Promise<void> {
    const names = this.#names;
    const counts = await countQueues(session, [names.records, names.listeners]);
    if (counts.has(names.records)) {
      const queues = new Map<string, string>();
      for (const { topic, queue } of await this.#records.list()) queues.set(names.queue(topic, queue), topic);
      for (const topic of await this.#records.listStanding()) queues.set(names.standing(topic), topic);
      await topology.bindAgain(queues);
    }
    if ((counts.get(names.listeners)?.consumers ?? 0) > 0) await this.#inquiry.askToBind(session);
  }

  /** The patterns of this process's subscriptions, by native name of the queue. */
  #patterns(): Map<string, string> {
    return new Map([...this.#subscriptions].map(({ queue, request }) => [queue, request.pattern]));
  }

  #topologyOf(session: Session): Topology {
    let topology = this.#topologies.get(session);
    if (topology === undefined) {
      topology = new Topology(session, this.#names, this.#locks, this.#settings);
      this.#topologies.set(session, topology);
    }
    return topology;
  }

  /** As {@link #up}, but already while subscriptions are being put on the connection, which needs some of it. */
  async #usable(): Promise<{ readonly session: Session; readonly topology: Topology }> {
    const session = this.#newest?.alive ? this.#newest : await this.#link.up();
    return { session, topology: this.#topologyOf(session) };
  }

  async #up(): Promise<{ readonly session: Session; readonly topology: Topology }> {
    const session = await this.#link.up();
    return { session, topology: this.#topologyOf(session) };
  }

  /** A dead letter needs its standing queue first, whatever became of it since the last one. */
  async #sendToStanding(publication: Publication, key: string): Promise<void> {
    const { topic, origin } = publication;
    try {
      const { topology } = await this.#up();
      await this.#records.addStanding(topic);
      await topology.standingOnce(topic);
      // Whatever became of it since: a dead letter must not be confirmed for the copies alone.
      if (origin !== undefined) await topology.standing(topic);
      this.#send(publication, this.#names.deadLetters, key);
    } catch (error) {
      publication.fail(
        wrapError(error, "ERR_DRIVER", `Making the standing queue of ${topic} failed`, { driver: "rabbitmq", topic }),
      );
    }
  }

  #send(publication: Publication, exchange: string, key: string): void {
    this.#window.send(new SendingPublication(publication, exchange, key));
  }

  #holdings(): Holdings {
    const holdings = this.#copies.putOff();
    for (const { queue, unsettled } of this.#subscriptions) holdings.set(queue, (holdings.get(queue) ?? 0) + unsettled);
    return holdings;
  }
}

/** A publication on its way to the server. */
class SendingPublication implements Sending {
  readonly exchange: string;
  readonly routingKey: string;
  readonly message: NativeMessage;
  readonly resend: boolean;
  readonly #publication: Publication;

  constructor(publication: Publication, exchange: string, routingKey: string) {
    this.#publication = publication;
    this.exchange = exchange;
    this.routingKey = routingKey;
    this.message = encode(publication, false);
    // A dead letter that is not confirmed leaves its message where it is: sending it again would make two.
    this.resend = publication.origin === undefined;
  }

  confirm(state: Routed): void {
    const { topic, mandatory } = this.#publication;
    if (state === "unrouted" && !this.resend) this.fail(unkept(topic));
    else if (state === "unrouted" && mandatory) this.fail(unwanted(topic));
    else this.#publication.confirm(state);
  }

  fail(error: BrokerError): void {
    this.#publication.fail(error);
  }
}

function unwanted(topic: string): BrokerError {
  return new BrokerError("ERR_NO_SUBSCRIBERS", `No queue and no subscription wants messages of ${topic}.`, {
    driver: "rabbitmq",
    topic,
  });
}

function unkept(topic: string): BrokerError {
  return new BrokerError(
    "ERR_DEAD_LETTER",
    `The standing queue of ${topic} was removed before it got the dead letter.`,
    {
      driver: "rabbitmq",
      topic,
    },
  );
}
