import { BrokerError } from "../../errors.ts";
import type { Clock } from "../../internal/clock.ts";
import { delay } from "../../internal/wait.ts";
import {
  API_CODES,
  type ApiError,
  type ConsumerConfig,
  type ConsumerInfo,
  type JetStream,
  NANOS_PER_MS,
  type StreamConfig,
  type StreamInfo,
} from "./jetstream.ts";
import type { ResolvedNatsOptions } from "./options.ts";
import { checkReplicas, replicasError } from "./replicas.ts";
import { broadcastName, type Names, queueName, readerName } from "./subjects.ts";

/** How long JetStream recognises the retry of a publish, in milliseconds. */
const DUPLICATE_WINDOW_MS = 120_000;
/** How long what is remembered of a message between its attempts may go unused, in milliseconds. */
const ATTEMPTS_AGE_MS = 7 * 24 * 3_600_000;
const ATTEMPTS_BYTES = 64 * 1024 * 1024;
/** How long the readers' consumer of a dead-letter topic lives on without a reader, in milliseconds. */
const READER_HOLD_MS = 300_000;
/** How many pulls may wait at a consumer: several for each member. */
const MAX_PULLS = 4_096;
const REDELIVER_AFTER_MS = 10_000;
/** When a stream that was removed is made again, in milliseconds: a server is not done at once with the files of the old one. */
const FILES_GONE_MS = 1_000;

/** What a consumer is for: kept in its description, from which queues are listed. */
export interface ConsumerPurpose {
  readonly pattern: string;
  readonly queue?: string | undefined;
}

/** A consumer to be: where it is and how it is made. */
export interface Wanted {
  readonly stream: string;
  readonly config: ConsumerConfig;
}

/** Makes streams and consumers as they are needed, and checks those that are there. */
export class Topology {
  readonly names: Names;
  readonly #clock: Clock;
  readonly #jetstream: JetStream;
  readonly #options: ResolvedNatsOptions;
  readonly #serverVersion: () => string | undefined;

  /** @param serverVersion that of the server behind the connection, where it is known */
  constructor(
    jetstream: JetStream,
    names: Names,
    options: ResolvedNatsOptions,
    clock: Clock,
    serverVersion: () => string | undefined,
  ) {
    this.#clock = clock;
    this.#jetstream = jetstream;
    this.names = names;
    this.#options = options;
    this.#serverVersion = serverVersion;
  }

  /**
   * Makes the streams that do not exist yet.
   * @throws BrokerError `ERR_INVALID_OPTION` when one exists that is not as the options say; `ERR_UNSUPPORTED` for more than one copy
   * where the server cannot keep them; `ERR_CONNECT_FAILED` when too few servers of the cluster can take one, or when nobody has
   * answered for a stream within `answerWithinMs`
   */
  async ensureStreams(answerWithinMs?: number): Promise<void> {
    for (const [config, asked] of this.#streams()) {
      const info = await this.#findStream(config.name, answerWithinMs);
      checkReplicas(info?.config ?? config, this.#serverVersion());
      const found = info ?? (await this.#create(config, answerWithinMs));
      const differs = difference(found.config, config, asked);
      if (differs !== undefined)
        throw new BrokerError("ERR_INVALID_OPTION", `The stream ${config.name} exists with another ${differs}.`, {
          driver: "nats",
        });
    }
  }

  /** The consumer of a queue. */
  queue(pattern: string, queue: string): Wanted {
    return this.#wanted(queueName(pattern, queue), { pattern, queue }, this.names.filter(pattern));
  }

  /** The consumer of a broadcast subscription. */
  broadcast(pattern: string, subscriptionId: string, ackTimeoutMs: number): Wanted {
    // A full member pulls nothing until it has settled something; the server must not take it for gone meanwhile.
    const holdMs = this.#options.broadcastHoldMs + 2 * ackTimeoutMs;
    return this.#wanted(broadcastName(subscriptionId), { pattern }, this.names.filter(pattern), holdMs);
  }

  /** The consumer that the readers of a dead-letter topic share. */
  reader(topic: string, ackTimeoutMs: number): Wanted {
    const holdMs = READER_HOLD_MS + 2 * ackTimeoutMs;
    const { config } = this.#wanted(readerName(topic), { pattern: topic }, this.names.standing(topic), holdMs);
    return { stream: this.names.dead, config: { ...config, deliver_policy: "all" } };
  }

  /**
   * Makes a consumer that does not exist yet.
   * @throws BrokerError `ERR_INVALID_OPTION` when it exists with what must agree among its members and does not
   */
  async ensureConsumer({ stream, config }: Wanted): Promise<ConsumerInfo> {
    const info = await this.#jetstream.find<ConsumerInfo>(`CONSUMER.INFO.${stream}.${config.durable_name}`);
    const found = info ?? (await this.#createConsumer(stream, config));
    const asked = this.#options.redeliverAfterMs;
    const has = found.config.ack_wait / NANOS_PER_MS;
    const differs =
      asked !== undefined && asked !== has
        ? `redeliverAfterMs ${has} instead of ${asked}`
        : consumerDifference(found.config, config);
    if (differs === undefined) return found;
    const message = `The consumer ${config.durable_name} exists with ${differs}.`;
    throw new BrokerError("ERR_INVALID_OPTION", message, { driver: "nats", scope: "subscription" });
  }

  /** Removes a consumer with what it holds; resolves with whether it existed. */
  async removeConsumer(stream: string, name: string): Promise<boolean> {
    const removed = await this.#jetstream.find<object>(`CONSUMER.DELETE.${stream}.${name}`);
    const filter = this.names.memory(name, ">");
    await this.#jetstream.find(`STREAM.PURGE.${this.names.attempts}`, { filter });
    return removed !== undefined;
  }

  async #createConsumer(stream: string, config: ConsumerConfig): Promise<ConsumerInfo> {
    const call = `CONSUMER.DURABLE.CREATE.${stream}.${config.durable_name}`;
    const body = { stream_name: stream, config };
    const made = await this.#jetstream.find<ConsumerInfo>(call, body);
    if (made !== undefined) return made;
    // Somebody removed the stream, maybe just now.
    await delay(this.#clock, FILES_GONE_MS);
    await this.ensureStreams();
    return this.#jetstream.call<ConsumerInfo>(call, body);
  }

  #wanted(name: string, purpose: ConsumerPurpose, filter: string, holdMs?: number): Wanted {
    const config: ConsumerConfig = {
      durable_name: name,
      description: JSON.stringify(purpose),
      deliver_policy: "new",
      ack_policy: "explicit",
      ack_wait: (this.#options.redeliverAfterMs ?? REDELIVER_AFTER_MS) * NANOS_PER_MS,
      max_deliver: -1,
      max_ack_pending: -1,
      max_waiting: MAX_PULLS,
      filter_subject: filter,
      replay_policy: "instant",
      ...(holdMs === undefined ? {} : { inactive_threshold: Math.round(holdMs * NANOS_PER_MS) }),
    };
    return { stream: this.names.streamOf(purpose.pattern), config };
  }

  /** Each stream, and the limits that were asked for by option: only those must agree with a stream that exists. */
  #streams(): [StreamConfig, Partial<StreamConfig>][] {
    const { replicas, maxMessages, maxBytes, maxDeadLetters, maxDeadLetterBytes } = this.#options;
    const { prefix, messages, copies, dead, attempts } = this.names;
    const common = {
      storage: "file",
      discard: "new",
      max_msgs_per_subject: -1,
      max_age: 0,
      duplicate_window: DUPLICATE_WINDOW_MS * NANOS_PER_MS,
      num_replicas: replicas ?? 1,
    } as const;
    const askedReplicas = replicas === undefined ? {} : { num_replicas: replicas };
    const deadLimits = {
      max_msgs: limit(maxDeadLetters ?? 100_000),
      max_bytes: limit(maxDeadLetterBytes ?? 256 * 1024 ** 2),
    };
    const askedDead = {
      ...askedReplicas,
      ...(maxDeadLetters === undefined ? {} : { max_msgs: deadLimits.max_msgs }),
      ...(maxDeadLetterBytes === undefined ? {} : { max_bytes: deadLimits.max_bytes }),
    };
    return [
      [
        {
          ...common,
          name: messages,
          description: "Tidings: published messages, until every queue and subscription has acked them",
          subjects: [`${prefix}.t.>`],
          retention: "interest",
          max_msgs: limit(maxMessages ?? 1_000_000),
          max_bytes: limit(maxBytes ?? 1024 ** 3),
        },
        {
          ...askedReplicas,
          ...(maxMessages === undefined ? {} : { max_msgs: limit(maxMessages) }),
          ...(maxBytes === undefined ? {} : { max_bytes: limit(maxBytes) }),
        },
      ],
      // Apart from the messages: a message that failed leaves its queue also while there is no room for new ones.
      [
        {
          ...common,
          name: copies,
          description:
            "Tidings: copies of dead letters, until every queue and subscription on their topics has acked them",
          subjects: [`${prefix}.d.>`],
          retention: "interest",
          ...deadLimits,
        },
        askedDead,
      ],
      [
        {
          ...common,
          name: dead,
          description: "Tidings: dead letters, until they are read, redriven or dropped",
          subjects: [`${prefix}.s.>`],
          retention: "workqueue",
          ...deadLimits,
        },
        askedDead,
      ],
      [
        {
          ...common,
          name: attempts,
          description: "Tidings: what is remembered of a message between its attempts",
          subjects: [`${prefix}.a.>`],
          retention: "limits",
          discard: "old",
          max_msgs: -1,
          max_bytes: ATTEMPTS_BYTES,
          max_msgs_per_subject: 1,
          max_age: ATTEMPTS_AGE_MS * NANOS_PER_MS,
        },
        askedReplicas,
      ],
    ];
  }

  async #findStream(name: string, answerWithinMs: number | undefined): Promise<StreamInfo | undefined> {
    try {
      return await this.#jetstream.find<StreamInfo>(`STREAM.INFO.${name}`, undefined, answerWithinMs);
    } catch (error) {
      throw unanswered(name, answerWithinMs, error);
    }
  }

  async #create(config: StreamConfig, answerWithinMs: number | undefined): Promise<StreamInfo> {
    try {
      return await this.#jetstream.call<StreamInfo>(`STREAM.CREATE.${config.name}`, config, answerWithinMs);
    } catch (error) {
      const refusal = (error as BrokerError).cause as ApiError | undefined;
      // Another process, with other limits, was faster.
      if (refusal?.err_code === API_CODES.streamNameInUse)
        return this.#jetstream.call<StreamInfo>(`STREAM.INFO.${config.name}`);
      throw replicasError(config, refusal) ?? unanswered(config.name, answerWithinMs, error);
    }
  }
}

/** What it means that a call about a stream failed where it had to be answered within some time. */
function unanswered(name: string, answerWithinMs: number | undefined, error: unknown): unknown {
  if (answerWithinMs === undefined || (error as BrokerError).code !== "ERR_CONNECTION_LOST") return error;
  const message = `No NATS server answers for the stream ${name}: those that keep it may be down, or too few of the cluster are up.`;
  return new BrokerError("ERR_CONNECT_FAILED", message, { driver: "nats", cause: error });
}

/** What a consumer is for; `undefined` for one that Tidings did not make. */
export function purposeOf(info: ConsumerInfo): ConsumerPurpose | undefined {
  try {
    const purpose = JSON.parse(info.config.description) as ConsumerPurpose;
    return typeof purpose.pattern === "string" ? purpose : undefined;
  } catch {
    // Somebody else's consumer on our stream: none of ours to list.
    return undefined;
  }
}

/** What of a consumer makes it another kind, whose messages would not arrive, or vanish. */
function consumerDifference(has: ConsumerConfig, wanted: ConsumerConfig): string | undefined {
  const { ack_policy, max_deliver, filter_subject } = wanted;
  // Where somebody gave it a subject to deliver to, nobody can pull from it.
  for (const [name, value] of Object.entries({ ack_policy, max_deliver, filter_subject, deliver_subject: undefined })) {
    const other = (has as unknown as Record<string, unknown>)[name];
    if (other !== value) return `${name} ${JSON.stringify(other)} instead of ${JSON.stringify(value) ?? "none"}`;
  }
  return undefined;
}

function difference(has: StreamConfig, wanted: StreamConfig, asked: Partial<StreamConfig>): string | undefined {
  const fixed = {
    subjects: wanted.subjects,
    retention: wanted.retention,
    discard: wanted.discard,
    storage: wanted.storage,
  };
  for (const [name, value] of Object.entries({ ...fixed, ...asked })) {
    const other = has[name as keyof StreamConfig];
    if (JSON.stringify(other) !== JSON.stringify(value))
      return `${name}: ${JSON.stringify(other)} instead of ${JSON.stringify(value)}`;
  }
  return undefined;
}

function limit(value: number): number {
  return Number.isFinite(value) ? value : -1;
}
