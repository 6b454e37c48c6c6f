import type { ConnectionOptions } from "node:tls";
import type { BrokerOptions } from "../../broker-options.ts";
import { check, checkOptions } from "../../check-options.ts";
import { BrokerError } from "../../errors.ts";
import { masked } from "../../internal/masked.ts";

/** Options of {@link rabbitmq}. */
export interface RabbitmqOptions {
  /** Where the server is: `amqp://user:password@host:port/vhost`, or `amqps://` for TLS. Default `amqp://127.0.0.1:5672`. */
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
  /** How many publishes wait for their confirms at once; more wait in the process. Default 1,000. */
  confirmWindow?: number;
}

/** The options with everything filled in, ready to connect with. */
export interface Settings {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
  readonly tls: ConnectionOptions;
  readonly prefix: string;
  readonly heartbeatMs: number;
  readonly broadcastExpiryMs: number;
  readonly confirmWindow: number;
  /** For people: without credentials. */
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
  const url = parseUrl(options.url ?? DEFAULT_URL);
  const secure = url.protocol === "amqps:";
  const tls = { ...options.tls, ...(broker.tls as ConnectionOptions | undefined) };
  if (!secure && (options.tls ?? broker.tls) !== undefined)
    throw invalid("The option tls needs a URL that begins with amqps://.");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? (secure ? 5671 : 5672) : Number(url.port);
  const vhost = options.vhost ?? decoded(url.pathname.slice(1), "virtual host");
  return {
    secure,
    host,
    port,
    username: options.username ?? (decoded(url.username, "user") || "guest"),
    password: options.password ?? (decoded(url.password, "password") || "guest"),
    vhost: vhost === "" ? "/" : vhost,
    tls,
    prefix: options.prefix ?? "tidings",
    heartbeatMs: options.heartbeatMs ?? 10_000,
    broadcastExpiryMs: options.broadcastExpiryMs ?? 60_000,
    confirmWindow: options.confirmWindow ?? 1_000,
    address: `${url.protocol}//${url.hostname}:${port}${vhost === "" || vhost === "/" ? "" : `/${encodeURIComponent(vhost)}`}`,
  };
}

function parseUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalid(`The URL ${JSON.stringify(masked(text))} is not valid; one such as ${DEFAULT_URL} is.`);
  }
  if (url.protocol !== "amqp:" && url.protocol !== "amqps:")
    throw invalid(`The URL of RabbitMQ begins with amqp:// or amqps://, not ${url.protocol}//.`);
  if (url.hostname === "") throw invalid("The URL of RabbitMQ has no host.");
  if (url.pathname.slice(1).includes("/"))
    throw invalid("The virtual host in a URL is one word; a slash in it is written %2F.");
  if (url.search !== "" || url.hash !== "")
    throw invalid(`The URL of RabbitMQ takes no query: options are given to rabbitmq({ ... }).`);
  return url;
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
