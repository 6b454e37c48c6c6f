import type { BrokerOptions } from "../../broker-options.ts";
import { check, checkOptions, oneOf } from "../../check-options.ts";
import type { Registry } from "../../registry.ts";
import { parseAddress } from "./address.ts";
import { checkTlsOptions, type HttpTlsOptions } from "./security/tls-options.ts";

export type { HttpTlsOptions } from "./security/tls-options.ts";

/** Limits against slow, idle and greedy peers. Every one costs the peer its connection, never the process. */
export interface HttpLimits {
  /** Largest header block of a request, in bytes. Default 64 KiB; more is status 431. */
  maxHeaderBytes?: number;
  /** Time for a request's headers to arrive, in milliseconds. Default 10,000; then status 408. */
  headersTimeoutMs?: number;
  /** Time for a whole request to arrive, in milliseconds. Default 30,000; then status 408. */
  requestTimeoutMs?: number;
  /** How long a connection may be idle between requests, in milliseconds. Default 60,000. */
  idleTimeoutMs?: number;
  /** Connections at once. Default 10,000; more are closed at once. */
  maxConnections?: number;
  /** Time for a peer to prove itself, from its first byte, that of TLS included, in milliseconds. Default 5,000. */
  handshakeTimeoutMs?: number;
}

/** Options of {@link http}. */
export interface HttpOptions {
  /** Where to listen: `host:port`; port 0 picks a free one. Default `127.0.0.1:0`. */
  address?: string;
  /** What to tell peers in place of the address it listens on: `host:port`. Default: that address. */
  advertise?: string;
  /** Where peers are found: a registry, or the name of one. Default `local`. */
  registry?: Registry | string;
  /** `"go-micro"` also accepts and reaches go-micro peers, which know no secret. Default `"tidings"`, or by registry. */
  wire?: "tidings" | "go-micro";
  /**
   * With `wire: "go-micro"`: also reach, and be reached by, peers of go-micro 1.18 and of micro/plugins' `broker/http`, whose
   * path, topic header and service name are others. Default false.
   */
  oldWire?: boolean;
  /** How many messages the outbox keeps. Default 100,000. */
  backlogMessages?: number;
  /** How many bytes the outbox keeps. Default 256 MiB. */
  backlogBytes?: number;
  /** How long the outbox keeps a message, in milliseconds. Default 24 h. */
  backlogAgeMs?: number;
  limits?: HttpLimits;
  /**
   * A folder that keeps the outbox on disk: `publish` resolves once the message is synced. Several processes may share one.
   * Needs the package `classic-level`. Default none: memory.
   */
  storage?: string;
  /**
   * What all peers know and nobody else: connections are encrypted, and both sides prove it. At least 16 random bytes; text
   * counts as UTF-8. Default: `TIDINGS_SECRET`, or what is in the file that `TIDINGS_SECRET_FILE` names; else none.
   */
  secret?: string | Uint8Array | undefined;
  /** Certificates for the connections. Default none. */
  tls?: HttpTlsOptions;
  /** Encrypts in any case: without `secret` and `tls`, with a certificate that peers find in the registry. Default false. */
  secure?: boolean;
}

const registryCheck = (value: unknown) => (typeof value === "string" ? check.text(value) : check.object(value));

const table: Readonly<Record<keyof HttpOptions, (value: unknown) => string | undefined>> = {
  address: check.text,
  advertise: check.text,
  registry: registryCheck,
  wire: oneOf("tidings", "go-micro"),
  oldWire: check.flag,
  backlogMessages: check.count,
  backlogBytes: check.count,
  backlogAgeMs: check.positiveMs,
  limits: check.object,
  storage: check.text,
  secret: check.secret,
  tls: check.object,
  secure: check.flag,
};

const limitsTable: Readonly<Record<keyof HttpLimits, (value: unknown) => string | undefined>> = {
  maxHeaderBytes: check.count,
  headersTimeoutMs: check.positiveMs,
  requestTimeoutMs: check.positiveMs,
  idleTimeoutMs: check.positiveMs,
  maxConnections: check.count,
  handshakeTimeoutMs: check.positiveMs,
};

/** The limits with their defaults. */
export function httpLimits(limits: HttpLimits = {}): Required<HttpLimits> {
  const requestTimeoutMs = limits.requestTimeoutMs ?? 30_000;
  return {
    maxHeaderBytes: limits.maxHeaderBytes ?? 64 * 1024,
    // The headers are part of the request: Node refuses a longer limit for them.
    headersTimeoutMs: Math.min(limits.headersTimeoutMs ?? 10_000, requestTimeoutMs),
    requestTimeoutMs,
    idleTimeoutMs: limits.idleTimeoutMs ?? 60_000,
    maxConnections: limits.maxConnections ?? 10_000,
    handshakeTimeoutMs: limits.handshakeTimeoutMs ?? 5_000,
  };
}

/**
 * Checks the options of `http()`.
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export function checkHttpOptions(options: HttpOptions): void {
  checkOptions(options, table, "the HTTP broker");
  checkOptions(options.limits, limitsTable, "limits");
  if (options.tls !== undefined) checkTlsOptions(options.tls);
  if (options.address !== undefined) parseAddress(options.address);
  if (options.advertise !== undefined) parseAddress(options.advertise);
}

/**
 * What `init` and `createBroker` gave to the broker wins over what `http()` was given.
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export function mergeHttpOptions(own: HttpOptions, broker: BrokerOptions): HttpOptions {
  const merged: Record<string, unknown> = { ...own };
  for (const name of [
    "registry",
    "wire",
    "backlogMessages",
    "backlogBytes",
    "backlogAgeMs",
    "storage",
    "secret",
    "tls",
    "secure",
  ] as const) {
    if (broker[name] !== undefined) merged[name] = broker[name];
  }
  const options = merged as HttpOptions;
  if (options.tls !== undefined) checkTlsOptions(options.tls);
  return options;
}
