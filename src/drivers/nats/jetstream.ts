import type { Msg, MsgHdrs } from "@nats-io/transport-node";
import { BrokerError } from "../../errors.ts";
import type { Request, Requests } from "./requests.ts";

/** What JetStream's API says of a stream. */
export interface StreamInfo {
  readonly config: StreamConfig;
  readonly state: {
    readonly last_seq: number;
    /** Messages by subject; there when asked for with `subjects_filter`, in pages. */
    readonly subjects?: Readonly<Record<string, number>> | null;
  };
  /** How many subjects there are, over all pages. */
  readonly total?: number;
}

/** The part of a stream's configuration that Tidings sets. */
export interface StreamConfig {
  readonly name: string;
  readonly description: string;
  readonly subjects: readonly string[];
  readonly retention: "interest" | "workqueue" | "limits";
  readonly storage: "file";
  readonly discard: "new" | "old";
  readonly max_msgs: number;
  readonly max_bytes: number;
  readonly max_msgs_per_subject: number;
  /** In nanoseconds, like every duration of the API. */
  readonly max_age: number;
  readonly duplicate_window: number;
  readonly num_replicas: number;
}

/** What JetStream's API says of a consumer. */
export interface ConsumerInfo {
  readonly name: string;
  readonly config: ConsumerConfig;
  readonly num_pending: number;
  readonly num_ack_pending: number;
}

/** The part of a consumer's configuration that Tidings sets. */
export interface ConsumerConfig {
  readonly durable_name: string;
  readonly description: string;
  readonly deliver_policy: "new" | "all";
  readonly ack_policy: "explicit";
  readonly ack_wait: number;
  readonly max_deliver: -1;
  readonly max_ack_pending: -1;
  readonly max_waiting: number;
  readonly filter_subject: string;
  readonly replay_policy: "instant";
  readonly inactive_threshold?: number;
}

/** A message as JetStream's API shows it. */
export interface StoredMessage {
  readonly subject: string;
  readonly seq: number;
  readonly time: string;
  /** Base64. */
  readonly hdrs?: string;
  readonly data?: string;
}

/** An error of JetStream's API. */
export interface ApiError {
  readonly code: number;
  readonly err_code: number;
  readonly description: string;
}

/** Error codes of JetStream's API that mean something here. */
export const API_CODES = {
  consumerNotFound: 10014,
  messageNotFound: 10037,
  noPeers: 10005,
  notAvailable: 10008,
  notClustered: 10074,
  sequenceNotFound: 10043,
  messageGone: 10057,
  streamNameInUse: 10058,
  streamNotFound: 10059,
} as const;

const NOT_FOUND: readonly number[] = [
  API_CODES.consumerNotFound,
  API_CODES.messageNotFound,
  API_CODES.sequenceNotFound,
  API_CODES.messageGone,
  API_CODES.streamNotFound,
];

/** A nanosecond's share of a millisecond: JetStream's API counts in nanoseconds. */
export const NANOS_PER_MS = 1_000_000;

/** How long JetStream's API may be silent, in milliseconds: a server without it never answers. */
const NO_API_AFTER_MS = 2_000;

/** JetStream's API: JSON over requests. */
export class JetStream {
  readonly requests: Requests;
  readonly #prefix: string;

  constructor(requests: Requests, domain: string | undefined) {
    this.requests = requests;
    this.#prefix = domain === undefined ? "$JS.API" : `$JS.${domain}.API`;
  }

  /** The subject of a call. */
  subject(call: string): string {
    return `${this.#prefix}.${call}`;
  }

  /**
   * Calls the API; `undefined` where what it is about does not exist.
   * @param answerWithinMs how long it may go unanswered, in milliseconds; default as every request
   * @throws BrokerError
   */
  async find<T>(call: string, body?: object, answerWithinMs?: number): Promise<T | undefined> {
    const payload = body === undefined ? "" : JSON.stringify(body);
    const limits = { nobodyForMs: NO_API_AFTER_MS, answerWithinMs };
    const answer = await this.#ask<T>(this.subject(call), payload, undefined, limits);
    if (answer.error === undefined) return answer;
    if (NOT_FOUND.includes(answer.error.err_code)) return undefined;
    throw apiError(call, answer.error);
  }

  /** Calls the API about something that must exist. Arguments and errors as `find`. */
  async call<T>(call: string, body?: object, answerWithinMs?: number): Promise<T> {
    const answer = await this.find<T>(call, body, answerWithinMs);
    if (answer !== undefined) return answer;
    throw new BrokerError("ERR_DRIVER", `JetStream does not know what ${call} is about.`, { driver: "nats" });
  }

  /** Publishes into a stream; resolves with the message's sequence number once it is stored. */
  async publish(subject: string, payload: Uint8Array | string, headers?: MsgHdrs): Promise<number> {
    const answer = await this.#ask<{ readonly seq: number }>(subject, payload, headers);
    if (answer.error !== undefined) throw publishError(answer.error);
    return answer.seq;
  }

  #ask<T>(
    subject: string,
    payload: Uint8Array | string,
    headers?: MsgHdrs,
    limits?: Pick<Request, "nobodyForMs" | "answerWithinMs">,
  ): Promise<T & Answer> {
    return new Promise((resolve, reject) => {
      const answer = (message: Msg): boolean => {
        const found = answerOf(message);
        if (found !== undefined) resolve(found as T & Answer);
        return found !== undefined;
      };
      this.requests.send({ subject, payload, headers, answer, fail: reject, ...limits });
    });
  }
}

/** What every answer of JetStream may say. */
export interface Answer {
  readonly error?: ApiError;
}

/** JetStream's answer to a call or a publish; `undefined` for what somebody else answered. */
export function answerOf(message: Msg): Answer | undefined {
  try {
    const answer = message.json<(Answer & { readonly type?: unknown; readonly stream?: unknown }) | null>();
    // Calls are answered with a type, publishes with the stream.
    const whole = answer?.type ?? answer?.stream ?? answer?.error?.code;
    return whole === undefined || answer === null ? undefined : answer;
  } catch {
    return undefined;
  }
}

/** What an error of the API means for a publish. */
export function publishError(error: ApiError, topic?: string): BrokerError {
  const options = { driver: "nats", topic, cause: error };
  if (
    /maximum (messages|bytes)|insufficient|resource|storage limit|maximum.*exceeded/i.test(error.description) &&
    !/message size/i.test(error.description)
  )
    return new BrokerError(
      "ERR_BACKLOG_FULL",
      `The NATS server has no room for the message: ${error.description}.`,
      options,
    );
  if (/message size/i.test(error.description))
    return new BrokerError(
      "ERR_MESSAGE_TOO_LARGE",
      `The NATS server takes no message of this size: ${error.description}.`,
      options,
    );
  return new BrokerError("ERR_DRIVER", `The NATS server did not store the message: ${error.description}.`, {
    ...options,
    retryable: error.code >= 500,
  });
}

/** An error of the API that has no meaning of its own. */
function apiError(call: string, error: ApiError): BrokerError {
  const message = `JetStream refused ${call.split(".").slice(0, 2).join(".")}: ${error.description}.`;
  return new BrokerError("ERR_DRIVER", message, { driver: "nats", cause: error, retryable: error.code >= 500 });
}
