import type { NatsConnection } from "@nats-io/transport-node";
import type { BrokerOptions } from "../../broker-options.ts";
import { check, checkOptions } from "../../check-options.ts";
import { BrokerError } from "../../errors.ts";
import { masked } from "../../internal/masked.ts";

/** TLS to the server, and the certificates of both sides: PEM text, or files that hold it. */
export interface NatsTlsOptions {
  /** Whose certificates are trusted. Default: the authorities that Node trusts. */
  ca?: string;
  caFile?: string;
  /** The client's own certificate and key, for a server that asks for them. */
  cert?: string;
  certFile?: string;
  key?: string;
  keyFile?: string;
  /** Begin with TLS instead of asking for it, as the server's `handshake_first` wants. Default false. */
  handshakeFirst?: boolean;
}

/** Options of `natsCore()`, which are also options of `nats()`. */
export interface NatsCoreOptions {
  /** Servers of one cluster: `host:port`, `nats://host:port`, or `tls://host:port`, which wants `tls`. Default `127.0.0.1:4222`. */
  servers?: string | readonly string[];
  user?: string;
  password?: string;
  /** A token, for servers that know no users. */
  token?: string;
  /** The seed of an nkey, `SU...`. */
  nkey?: string;
  /** The path of a credentials file, which holds a user's JWT and seed. */
  credentials?: string;
  /** Encrypts the connection; the server must prove itself. Default: as the server requires. */
  tls?: NatsTlsOptions;
  /** What subjects and streams begin with: letters, digits, `_` and `-`. Brokers with different ones share nothing. Default `tidings`. */
  prefix?: string;
  /** A connection to use in place of all the above. It is not closed when the broker disconnects. */
  connection?: NatsConnection;
}

/** Options of `nats()`. */
export interface NatsOptions extends NatsCoreOptions {
  /** The JetStream domain. Default: the server's own. */
  domain?: string;
  /**
   * How many servers of a cluster keep each stream, 1 to 5: with 3, one may be lost. More than 1 needs a server from 2.9.25. Default 1
   * for streams that do not exist yet.
   */
  replicas?: number;
  /** How many published messages may be unread; then publishing is `ERR_BACKLOG_FULL`. Default 1,000,000. */
  maxMessages?: number;
  /** How many bytes of published messages may be unread. Default 1 GiB. */
  maxBytes?: number;
  /** How many dead letters are kept; then a message that fails for good stays in its queue. Default 100,000. */
  maxDeadLetters?: number;
  /** How many bytes of dead letters are kept. Default 256 MiB. */
  maxDeadLetterBytes?: number;
  /** How long after a process died its messages go to another, in milliseconds. Default 10,000. Fixed for a queue by its first member. */
  redeliverAfterMs?: number;
  /** How long a broadcast subscription lives on without its process, in milliseconds. Default 60,000. */
  broadcastHoldMs?: number;
}

/** What neither driver does without. */
export interface ResolvedCoreOptions extends NatsCoreOptions {
  readonly servers: readonly string[];
  readonly prefix: string;
}

/** The options of `nats()` with their defaults, but those that must agree with what a server has already. */
export type ResolvedNatsOptions = NatsOptions & ResolvedCoreOptions & { readonly broadcastHoldMs: number };

/** How many copies of a stream NATS keeps at most. */
const MAX_REPLICAS = 5;

const SECRETS = ["user", "password", "token", "nkey"] as const;
const hidden = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? undefined : "a non-empty string";

const coreTable = {
  servers: (value: unknown) =>
    [value].flat().every((server) => typeof server === "string" && server !== "") ? undefined : "host:port, or a list",
  user: () => undefined,
  password: () => undefined,
  token: () => undefined,
  nkey: () => undefined,
  credentials: check.text,
  tls: check.object,
  prefix: (value: unknown) =>
    typeof value === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(value)
      ? undefined
      : "1 to 64 letters, digits, underscores and hyphens",
  connection: check.object,
} satisfies Record<keyof NatsCoreOptions, unknown>;

const table = {
  ...coreTable,
  domain: check.text,
  replicas: (value: unknown) =>
    Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_REPLICAS
      ? undefined
      : `a whole number from 1 to ${MAX_REPLICAS}`,
  maxMessages: check.count,
  maxBytes: check.count,
  maxDeadLetters: check.count,
  maxDeadLetterBytes: check.count,
  redeliverAfterMs: (value: unknown) =>
    typeof value === "number" && value >= 1_000 ? undefined : "a number of milliseconds, 1,000 or more",
  broadcastHoldMs: check.positiveMs,
} satisfies Record<keyof NatsOptions, unknown>;

const tlsTable = {
  ca: check.text,
  caFile: check.text,
  cert: check.text,
  certFile: check.text,
  key: hidden,
  keyFile: check.text,
  handshakeFirst: check.flag,
} satisfies Record<keyof NatsTlsOptions, unknown>;

/**
 * Checks the options of `nats()` or `natsCore()`.
 * @throws BrokerError `ERR_INVALID_OPTION`, which shows no secret
 */
export function checkNatsOptions(options: NatsOptions, core: boolean): void {
  const owner = core ? "natsCore()" : "nats()";
  checkOptions(options, core ? coreTable : table, owner);
  const { key, ...shown } = options.tls ?? {};
  checkOptions(shown, tlsTable, "tls");
  for (const [name, value] of [
    ...SECRETS.map((secret) => [secret, options[secret]] as const),
    ["tls.key", key] as const,
  ])
    if (value !== undefined && hidden(value) !== undefined)
      throw invalid(`The option ${name} of ${owner} is not ${hidden(value)}.`);
  if (options.password !== undefined && options.user === undefined)
    throw invalid(`The option password of ${owner} needs a user.`);
  const ways = [options.user, options.token, options.nkey, options.credentials].filter((way) => way !== undefined);
  if (ways.length > 1)
    throw invalid(`${owner} takes one way to log in: user and password, token, nkey, or credentials.`);
}

/**
 * The driver's own options, its servers without credentials, and what of the broker's options it can use.
 * @throws BrokerError `ERR_UNSUPPORTED` for what NATS cannot do, `ERR_INVALID_OPTION`
 */
export function resolveNatsOptions(own: NatsOptions, broker: BrokerOptions, core: boolean): ResolvedNatsOptions {
  refuse(broker, core);
  const servers = [own.servers ?? "127.0.0.1:4222"].flat().map(parseServer);
  const login = servers.find(({ user, token }) => user !== undefined || token !== undefined) ?? {};
  const secure = broker.secure === true || servers.some((server) => server.secure);
  const tls = (broker.tls as NatsTlsOptions | undefined) ?? own.tls ?? (secure ? {} : undefined);
  const { server: _server, secure: _secure, ...rest } = { server: "", secure: false, ...login };
  const options = { ...rest, ...own, ...(tls === undefined ? {} : { tls }) };
  checkNatsOptions(options, core);
  return {
    ...options,
    servers: servers.map(({ server }) => server),
    prefix: own.prefix ?? "tidings",
    broadcastHoldMs: own.broadcastHoldMs ?? 60_000,
  };
}

/** The options that a broker's URL stands for: `nats://[user:password@ or token@]host:port[,host:port]`. */
export function optionsOfUrl(url: string): NatsCoreOptions {
  const [, login = "", hosts = "", rest = ""] = /^[a-z+]+:\/\/(?:(.*)@)?([^/?#@]*)(.*)$/is.exec(url) ?? [];
  if (hosts === "" || (rest !== "" && rest !== "/"))
    throw invalid(
      `The URL ${JSON.stringify(masked(url))} is not nats://host:port, with a comma between several hosts.`,
    );
  const prefix = login === "" ? "" : `${login}@`;
  return { servers: hosts.split(",").map((host) => `nats://${prefix}${host}`) };
}

interface Server {
  readonly server: string;
  readonly secure: boolean;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
}

function parseServer(text: string): Server {
  const [, scheme, login, server = ""] = /^(?:(nats|tls):\/\/)?(?:(.*)@)?([^/?#@\s]+)\/?$/is.exec(text) ?? [];
  const secure = scheme?.toLowerCase() === "tls";
  if (server === "" || !hasPort(server)) throw invalid(`The server ${JSON.stringify(masked(text))} is not host:port.`);
  if (login === undefined) return { server, secure };
  const colon = login.indexOf(":");
  const decode = (part: string): string => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw invalid("The user or password in the server's URL is not percent-encoded as it should be.");
    }
  };
  if (colon === -1) return { server, secure, token: decode(login) };
  return { server, secure, user: decode(login.slice(0, colon)), password: decode(login.slice(colon + 1)) };
}

/** Whether what follows the host, if anything does, is a port. */
function hasPort(server: string): boolean {
  const [, port] = /^(?:\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(server) ?? [undefined, ""];
  return port === undefined || (/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535);
}

function refuse(options: BrokerOptions, core: boolean): void {
  const driver = core ? "nats+core" : "nats";
  const unsupported = (message: string) => new BrokerError("ERR_UNSUPPORTED", message, { driver });
  if (options.wire === "go-micro" && !core)
    throw unsupported('JetStream has no wire "go-micro": go-micro speaks core NATS, which is nats+core://.');
  const asked = (["storage", "secret", "backlogMessages", "backlogBytes", "backlogAgeMs"] as const).filter(
    (name) => options[name] !== undefined,
  );
  if (asked.length === 0) return;
  const keeper = core ? "Core NATS keeps nothing" : "The NATS server keeps the messages";
  const limits = asked.some((name) => name.startsWith("backlog")) && !core;
  throw unsupported(
    `${keeper}: it has no ${asked.join(", ")}.${limits ? " Its limits are maxMessages and maxBytes of nats()." : ""}`,
  );
}

function invalid(message: string): BrokerError {
  return new BrokerError("ERR_INVALID_OPTION", message, { driver: "nats" });
}
