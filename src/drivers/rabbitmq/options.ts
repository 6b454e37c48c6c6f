import type { ConnectionOptions } from "node:tls";
import type { BrokerOptions } from "../../broker-options.ts";
import { check, checkOptions } from "../../check-options.ts";
import { BrokerError } from "../../errors.ts";
import { masked } from "../../internal/masked.ts";
import type { Server } from "./servers.ts";

/** What holds the messages of a broadcast subscription: a queue on one node, or one that a cluster replicates. */
type BroadcastQueues = "classic" | "quorum";

/** Options of {@link rabbitmq}. */
export interface RabbitmqOptions {
  /**
   * Where the server is: `amqp://user:password@host:port/vhost`, or `amqps://` for TLS, with a comma between the nodes of a cluster:
   * `amqp://a:5672,b:5672`. Default `amqp://127.0.0.1:5672`.
   */
  url?: string;
  /** Wins over the URL's user. Default `guest`. */
  username?: string;
  /** Wins over the URL's password. Default `guest`. Appears in no log, error or address. */
  password?: string;
  /** The virtual host; wins over the URL's. Default `/`. */
  vhost?: string;
  /** For TLS: `ca`, `cert`, `key`, `servername` and whatever else `node:tls` takes. Only with `amqps://`. */
  tls?: ConnectionOptions;
  /** What the names of exchanges and queues begin with: 1 to 40 characters of `a-z`, `0-9`, `-` and `_`. Default `tidings`. */
  prefix?: string;
  /** How often each side shows that it lives, in milliseconds, a whole number of seconds. Two missed beats break the connection. Default 10,000. */
  heartbeatMs?: number;
  /** How long a broadcast subscription's queue outlives its connection, in milliseconds. Default 60,000. */
  broadcastExpiryMs?: number;
  /**
   * What broadcast subscriptions have: `quorum` queues, which outlive a node, or `classic` ones, which cost less and go with theirs.
   * Default `quorum` where `url` names several nodes, else `classic`.
   */
  broadcastQueues?: BroadcastQueues;
  /** How many publishes wait for their confirms at once; more wait in the process. Default 1,000. */
  confirmWindow?: number;
}

/** The options with everything filled in, ready to connect with. */
export interface Settings {
  readonly secure: boolean;
  /** At least one. */
  readonly servers: readonly Server[];
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
  readonly tls: ConnectionOptions;
  readonly prefix: string;
  readonly heartbeatMs: number;
  readonly broadcastExpiryMs: number;
  readonly broadcastQueues: BroadcastQueues;
  readonly confirmWindow: number;
  /** Of all servers, for people: without credentials. */
  readonly address: string;
}

const DEFAULT_URL = "amqp://127.0.0.1:5672";

const table: Readonly<Record<keyof RabbitmqOptions, (value: unknown) => string | undefined>> = {
  url: check.text,
  username: check.text,
  password: (value) => (typeof value === "string" ? undefined : "a string"),
  vhost: check.text,
  tls: check.object,
  prefix: (value) =>
    typeof value === "string" && /^[a-z0-9_-]{1,40}$/.test(value)
      ? undefined
      : "1 to 40 characters of a-z, 0-9, - and _",
  heartbeatMs: (value) =>
    typeof value === "number" && value >= 1_000 && value % 1_000 === 0
      ? undefined
      : "a whole number of seconds, in milliseconds",
  broadcastExpiryMs: check.count,
  broadcastQueues: (value) => (value === "classic" || value === "quorum" ? undefined : '"classic" or "quorum"'),
  confirmWindow: check.count,
};

/**
 * Checks the options of `rabbitmq()`.
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export function checkRabbitmqOptions(options: RabbitmqOptions): void {
  const { password, ...shown } = options;
  checkOptions(shown, table, "the RabbitMQ broker");
  if (password !== undefined && typeof password !== "string")
    throw new BrokerError("ERR_INVALID_OPTION", "The option password of the RabbitMQ broker is a string.");
  settingsOf(options);
}

/**
 * The settings of options.
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export function settingsOf(options: RabbitmqOptions, broker: BrokerOptions = {}): Settings {
  refuseForeign(broker);
  const { url, authorities } = parseUrl(options.url ?? DEFAULT_URL);
  const secure = url.protocol === "amqps:";
  const tls = { ...options.tls, ...(broker.tls as ConnectionOptions | undefined) };
  if (!secure && (options.tls ?? broker.tls) !== undefined)
    throw invalid("The option tls needs a URL that begins with amqps://.");
  const vhost = options.vhost ?? decoded(url.pathname.slice(1), "virtual host");
  const path = vhost === "" || vhost === "/" ? "" : `/${encodeURIComponent(vhost)}`;
  const hosts = authorities.map(({ hostname, port }) => ({
    hostname,
    port: port === "" ? (secure ? 5671 : 5672) : Number(port),
  }));
  const addressOf = (servers: typeof hosts) =>
    `${url.protocol}//${servers.map(({ hostname, port }) => `${hostname}:${port}`).join(",")}${path}`;
  return {
    secure,
    servers: hosts.map(({ hostname, port }) => ({
      host: hostname.replace(/^\[|\]$/g, ""),
      port,
      address: addressOf([{ hostname, port }]),
    })),
    username: options.username ?? (decoded(url.username, "user") || "guest"),
    password: options.password ?? (decoded(url.password, "password") || "guest"),
    vhost: vhost === "" ? "/" : vhost,
    tls,
    prefix: options.prefix ?? "tidings",
    heartbeatMs: options.heartbeatMs ?? 10_000,
    broadcastExpiryMs: options.broadcastExpiryMs ?? 60_000,
    broadcastQueues: options.broadcastQueues ?? (hosts.length > 1 ? "quorum" : "classic"),
    confirmWindow: options.confirmWindow ?? 1_000,
    address: addressOf(hosts),
  };
}

/** A URL by its first host, which has the user too, and every host of it: a URL itself has one. */
function parseUrl(text: string): { readonly url: URL; readonly authorities: readonly URL[] } {
  const [, scheme = "", login = "", hosts = "", rest = ""] =
    /^([a-z+]+:\/\/)(?:([^/?#]*)@)?([^/?#@]*)(.*)$/is.exec(text) ?? [];
  if (/@[^@]*,/.test(login)) throw invalid("User and password stand once in a URL of RabbitMQ, before the first host.");
  const [first, ...others] = hosts.split(",");
  const url = parsed(scheme === "" ? text : `${scheme}${login === "" ? "" : `${login}@`}${first}${rest}`, text);
  if (url.protocol !== "amqp:" && url.protocol !== "amqps:")
    throw invalid(`The URL of RabbitMQ begins with amqp:// or amqps://, not ${url.protocol}//.`);
  if (url.pathname.slice(1).includes("/"))
    throw invalid("The virtual host in a URL is one word; a slash in it is written %2F.");
  if (url.search !== "" || url.hash !== "")
    throw invalid(`The URL of RabbitMQ takes no query: options are given to rabbitmq({ ... }).`);
  const authorities = [url, ...others.map((host) => parsed(`${scheme}${host}`, text))];
  if (authorities.some(({ hostname }) => hostname === "")) throw invalid("The URL of RabbitMQ lacks a host.");
  return { url, authorities };
}

/** @param shown the URL that the message shows. */
function parsed(text: string, shown: string): URL {
  try {
    return new URL(text);
  } catch {
    throw invalid(`The URL ${JSON.stringify(masked(shown))} is not valid; one such as ${DEFAULT_URL} is.`);
  }
}

function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(`The ${what} in the URL of RabbitMQ is not percent-encoded UTF-8.`);
  }
}

/** What only another broker can keep is refused: an option is never a silent no-op. */
function refuseForeign(options: BrokerOptions): void {
  const asked = [
    options.storage !== undefined && "storage",
    options.secret !== undefined && "secret",
    options.secure === true && "secure",
    options.backlogMessages !== undefined && "backlogMessages",
    options.backlogBytes !== undefined && "backlogBytes",
    options.backlogAgeMs !== undefined && "backlogAgeMs",
  ].filter((name) => name !== false);
  if (asked.length === 0) return;
  const message = `The RabbitMQ broker has no ${asked.join(", ")}: the server keeps the messages, and amqps:// encrypts.`;
  throw new BrokerError("ERR_UNSUPPORTED", message, { driver: "rabbitmq" });
}

function invalid(message: string): BrokerError {
  return new BrokerError("ERR_INVALID_OPTION", message, { driver: "rabbitmq" });
}
