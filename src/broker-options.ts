import type { Codec } from "./codec.ts";
import type { BrokerError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import type { Registry } from "./registry.ts";

/** How a lost connection is restored. */
export interface ReconnectOptions {
  /** Delay before the first try, in milliseconds; doubled each time. Default 100. */
  minDelayMs: number;
  /** The longest delay, in milliseconds. Default 2,000. */
  maxDelayMs: number;
  /** How often it is tried before the broker gives up and is closed. Default `Infinity`. */
  maxAttempts: number;
}

/** Options of a broker. Those of the HTTP broker can be given here, to `http()` or to `init`. */
export interface BrokerOptions {
  /** Largest message, header and body, in bytes. Default 1 MiB. A larger one is `ERR_MESSAGE_TOO_LARGE`. */
  maxMessageBytes?: number;
  /** How many publishes may wait while the connection is down. Default 10,000; more is `ERR_BACKLOG_FULL`. */
  bufferMessages?: number;
  /** How many bytes of publishes may wait while the connection is down. Default 64 MiB. */
  bufferBytes?: number;
  /** What a publish does when the buffer or the backlog is full: `"reject"` (default) with `ERR_BACKLOG_FULL`, or `"wait"`. */
  whenFull?: "reject" | "wait";
  /** How long a publish waits for room at its live targets, in milliseconds. Default 5,000; then it stays as `waiting`. */
  acceptTimeoutMs?: number;
  /** How long `disconnect`, and by default `unsubscribe`, waits for what is running, in milliseconds. Default 10,000. */
  drainTimeoutMs?: number;
  /** How long `connect` tries, in milliseconds. Default 10,000. Bad credentials fail at once. */
  connectTimeoutMs?: number;
  /** How a lost connection is restored. */
  reconnect?: Partial<ReconnectOptions>;
  /** What publishers use when none is named. Default JSON. */
  codec?: Codec;
  /** Where warnings and errors go. Default: standard error. */
  logger?: Logger;
  /** Called with every error that no call returns: a failed handler, a failed ack, a lost connection. */
  onError?: (error: BrokerError) => void;
  /** Where the HTTP broker finds its peers, and where services register: a registry, or the name of one. Default `local`. */
  registry?: Registry | string;
  /** Where a registry that is given by name is: the folder of `local`; of `mdns` the addresses of the interfaces to use, with commas between. */
  registryAddress?: string;
  /**
   * The wire to speak: `"tidings"`, or `"go-micro"`: over HTTP also with go-micro peers, on core NATS and RabbitMQ only with them.
   * Default `"tidings"`; over HTTP `"go-micro"` with a registry that go-micro shares.
   */
  wire?: "tidings" | "go-micro";
  /** A folder that keeps the outbox on disk (HTTP broker). Default none: memory. */
  storage?: string;
  /** What all peers know and nobody else (HTTP broker), not empty: mutual proof and encryption without certificates. */
  secret?: string | Uint8Array | undefined;
  /** Certificates to use (HTTP, NATS and RabbitMQ); which members it has is the driver's. */
  tls?: object;
  /** Encrypts connections (HTTP and NATS); without `secret` and `tls` the HTTP broker makes itself a certificate. Default false. */
  secure?: boolean;
  /** How many messages the outbox keeps (memory and HTTP). Default 100,000; more is `ERR_BACKLOG_FULL`. */
  backlogMessages?: number;
  /** How many bytes the outbox keeps (memory and HTTP). Default 256 MiB. */
  backlogBytes?: number;
  /** How long the outbox keeps a message, in milliseconds (memory and HTTP). Default 24 h; then it is given up with an event. */
  backlogAgeMs?: number;
}

/** Options of `subscribe`. */
export interface SubscribeOptions {
  /** Share the messages with every subscription that names this queue on this topic or pattern. Default none: broadcast. */
  queue?: string;
  /** Handlers at once. Default 16. */
  concurrency?: number;
  /** Unsettled messages held by this subscription. Default `concurrency`, or 16 times that with `orderBy: "key"`. */
  prefetch?: number;
  /** `"key"`: messages of one key are handled one at a time and in order, retries included. */
  orderBy?: "key";
  /** Ack when the handler returns, nack when it throws. Default true; with false the handler settles. */
  autoAck?: boolean;
  /** How many handler starts a message gets. Default 5, at least 1. */
  maxAttempts?: number;
  /** Delay before the second attempt, in milliseconds; doubled each time, with up to 20 % jitter. Default 200. */
  backoffMs?: number;
  /** The longest delay between attempts, in milliseconds. Default 30,000. */
  maxBackoffMs?: number;
  /** How long a handler may take, in milliseconds. Default 30,000; then its signal is aborted and the message nacked. */
  ackTimeoutMs?: number;
  /** Where messages go that failed for good: a topic, or `false`: given up with an event. Default `dlq.<topic>`. */
  deadLetter?: string | false;
  /** How long `unsubscribe` waits for running handlers, in milliseconds. Default the broker's. */
  drainTimeoutMs?: number;
  /** Ends the subscription, as `unsubscribe` does. */
  signal?: AbortSignal;
}

/** Options of `publish`. */
export interface PublishOptions {
  /** Orders the message among those of the same key, for subscriptions with `orderBy: "key"`. */
  key?: string;
  /** The message's id. Default a new UUID. */
  id?: string;
  /** Reject with `ERR_NO_SUBSCRIBERS` when nobody wants the message. Default false. */
  mandatory?: boolean;
  /** Stops waiting: the call rejects with the signal's reason. A message already handed over may still be delivered. */
  signal?: AbortSignal;
}
