import type { NatsConnection } from "@nats-io/transport-node";
import type {
  DeadLetterAdmin,
  DriverContext,
  DriverSubscription,
  Publication,
  QueueAdmin,
  SubscribeRequest,
} from "../../driver.ts";
import { BrokerError, wrapError } from "../../errors.ts";
import { before } from "../../internal/wait.ts";
import { isDeadLetterTopic, isPattern } from "../../topics.ts";
import { Acks } from "./acks.ts";
import { natsDeadLetters, natsQueues } from "./admin.ts";
import { Census } from "./census.ts";
import type { NatsClient } from "./client.ts";
import { API_CODES, type ApiError, JetStream } from "./jetstream.ts";
import { Link, refusal } from "./link.ts";
import { Member } from "./member.ts";
import type { ResolvedNatsOptions } from "./options.ts";
import { Publisher } from "./publisher.ts";
import { Requests } from "./requests.ts";
import { Names } from "./subjects.ts";
import { Topology } from "./topology.ts";

/** How long the streams are not looked at again, in milliseconds, while nobody answers for one. */
const LOOK_AGAIN_MS = 1_000;

/** In what part of the time for connecting a stream has to answer: the rest is for saying which does not. */
const ANSWER_PART = 3 / 4;

/** A connection with JetStream on it, and everything of one broker. */
export class NatsSession {
  readonly connection: NatsConnection;
  readonly queues: QueueAdmin;
  readonly deadLetters: DeadLetterAdmin;
  readonly #client: NatsClient;
  readonly #context: DriverContext;
  readonly #requests: Requests;
  readonly #acks: Acks;
  readonly #jetstream: JetStream;
  readonly #topology: Topology;
  readonly #publisher: Publisher;
  readonly #link: Link;
  readonly #census: Census;
  readonly #members = new Set<Member>();
  readonly #names: Names;
  /** When the streams were last looked at because one seemed to be gone, in milliseconds since the epoch. */
  #lookedAt = 0;

  constructor(client: NatsClient, connection: NatsConnection, options: ResolvedNatsOptions, context: DriverContext) {
    const names = new Names(options.prefix);
    this.#names = names;
    this.#client = client;
    this.connection = connection;
    this.#context = context;
    this.#requests = new Requests(client, connection, context.clock, (subject) => this.#nobodyAnswers(subject));
    this.#acks = new Acks(connection, context.clock);
    this.#jetstream = new JetStream(this.#requests, options.domain);
    const serverVersion = (): string | undefined => connection.info?.version;
    this.#topology = new Topology(this.#jetstream, names, options, context.clock, serverVersion);
    this.#publisher = new Publisher(client, connection, this.#requests, names, context);
    this.#link = new Link(connection, context, {
      down: () => {
        this.#requests.pause();
        this.#acks.pause();
        this.#publisher.down();
      },
      restore: () => this.#restore(),
      refused: (subject, error) => {
        this.#requests.refused(subject, error);
        this.#acks.refused(subject, error);
        for (const member of this.#members) member.refused(subject, error);
      },
      closed: () => this.#end("restoring the connection was given up"),
    });
    this.#census = new Census(client, connection, context, names, this.#members);
    this.queues = natsQueues(this.#jetstream, this.#topology, this.#census);
    this.deadLetters = natsDeadLetters(client, this.#jetstream, this.#topology);
  }

  /**
   * Makes the streams.
   * @throws BrokerError `ERR_UNSUPPORTED` where the server has no JetStream
   */
  async open(): Promise<void> {
    const reason = await missingJetStream(this.connection, this.#jetstream);
    if (reason !== undefined)
      throw new BrokerError(
        "ERR_UNSUPPORTED",
        `The NATS server at ${this.#link.address} has no JetStream (${reason}). Start it with --jetstream, or use nats+core:// and its at-most-once delivery.`,
        { driver: "nats" },
      );
    await this.#topology.ensureStreams(this.#context.options.connectTimeoutMs * ANSWER_PART);
  }

  publish(publications: readonly Publication[]): void {
    for (const publication of publications) this.#publisher.publish(publication);
  }

  async subscribe(request: SubscribeRequest): Promise<DriverSubscription> {
    const { id, pattern, queue, ackTimeoutMs } = request;
    const reader = queue === undefined && isDeadLetterTopic(pattern) && !isPattern(pattern);
    const wanted =
      queue !== undefined
        ? this.#topology.queue(pattern, queue)
        : reader
          ? this.#topology.reader(pattern, ackTimeoutMs)
          : this.#topology.broadcast(pattern, id, ackTimeoutMs);
    const host = {
      client: this.#client,
      context: this.#context,
      link: this.#link,
      jetstream: this.#jetstream,
      acks: this.#acks,
      topology: this.#topology,
    };
    const member = new Member(host, request, wanted, queue === undefined && !reader);
    this.#members.add(member);
    try {
      await member.start();
    } catch (error) {
      this.#members.delete(member);
      throw error;
    }
    return {
      stop: () => member.stop(),
      close: () => member.close().finally(() => this.#members.delete(member)),
    };
  }

  /** Waits until everything is answered, or the deadline; then closes. */
  async close(deadlineAt: number, connectionToo: boolean): Promise<void> {
    const answered = Promise.all([this.#requests.settled(), this.#acks.settled()]);
    if (this.#link.connected) await before(this.#context.clock, deadlineAt, answered);
    this.#link.end();
    this.#end("the broker was disconnected");
    if (connectionToo) await this.connection.close();
  }

  #end(reason: string): void {
    this.#publisher.close();
    this.#requests.close(reason);
    this.#acks.close(reason);
    this.#census.close();
  }

  /** Somebody removed a stream, and no member need have noticed: it is made again. */
  #nobodyAnswers(subject: string): void {
    const now = this.#context.clock.now();
    if (!this.#names.owns(subject) || now - this.#lookedAt < LOOK_AGAIN_MS) return;
    this.#lookedAt = now;
    this.#topology.ensureStreams().catch((error: unknown) => {
      const what = `Looking for the stream of ${subject} failed`;
      this.#context.onError(wrapError(error, "ERR_DRIVER", what, { driver: "nats" }));
    });
  }

  async #restore(): Promise<void> {
    this.#acks.resume();
    this.#requests.resume(this.#publisher.doubtful());
    await this.#topology.ensureStreams();
    await Promise.all([...this.#members].map((member) => member.reconnected()));
  }
}

/** Why JetStream cannot be used; `undefined` where it can. */
async function missingJetStream(connection: NatsConnection, jetstream: JetStream): Promise<string | undefined> {
  try {
    // The call with the shortest answer.
    const answer = await connection.request(jetstream.subject("STREAM.NAMES"), '{"subject":"-"}', { timeout: 5_000 });
    const { error } = answer.json<{ error?: ApiError }>();
    if (error?.err_code === API_CODES.notAvailable) throw leaderless(error);
    return error?.description;
  } catch (error) {
    const { name, cause } = error as Error;
    // Where the answers are refused, the client wraps what the server says.
    if ([name, (cause as Error | undefined)?.name].includes("PermissionViolationError")) throw refusal(error);
    if (name === "NoRespondersError" || (error as { isNoResponders?(): boolean }).isNoResponders?.())
      return "nobody answers for it";
    // A server of a cluster says nothing while it waits for a leader, and says so only after some seconds.
    if (name === "TimeoutError") throw leaderless(error);
    throw error;
  }
}

function leaderless(cause: unknown): BrokerError {
  const message = "JetStream does not answer. A cluster has no leader for it while too few of its servers are up.";
  return new BrokerError("ERR_CONNECT_FAILED", message, { driver: "nats", cause });
}
