import { readFile } from "node:fs/promises";
import type { NatsConnection, NodeConnectionOptions } from "@nats-io/transport-node";
import { backoffMs } from "../../backoff.ts";
import type { DriverContext } from "../../driver.ts";
import { BrokerError, describeError } from "../../errors.ts";
import { loadOptional } from "../../optional-package.ts";
import type { ResolvedCoreOptions } from "./options.ts";

/** The client package, an optional peer. */
const PACKAGE = {
  name: "@nats-io/transport-node",
  range: "^3.3.1",
  neededBy: "A NATS broker",
  driver: "nats",
};

/** The client package, as it is imported. */
export type NatsClient = typeof import("@nats-io/transport-node");

/** How often the server is asked for a sign of life, in milliseconds; twice without one, and the connection is lost. */
const PING_INTERVAL_MS = 3_000;

/** How long one attempt to reach a server may take, in milliseconds: where nobody answers, the next one may be luckier. */
const DIAL_TIMEOUT_MS = 10_000;

/**
 * Loads the client package.
 * @throws BrokerError `ERR_MISSING_DEPENDENCY`
 */
export async function loadClient(
  load: () => Promise<NatsClient> = () => import("@nats-io/transport-node"),
): Promise<NatsClient> {
  return loadOptional(PACKAGE, load);
}

/**
 * Opens a connection that restores itself as `context.options.reconnect` says.
 * @throws BrokerError `ERR_AUTHENTICATION`, `ERR_CONNECT_FAILED`, `ERR_INVALID_OPTION`
 */
export async function openConnection(
  client: NatsClient,
  options: ResolvedCoreOptions,
  context: DriverContext,
): Promise<NatsConnection> {
  const { reconnect, connectTimeoutMs } = context.options;
  const { minDelayMs, maxDelayMs, maxAttempts } = reconnect;
  let tries = 0;
  const native: NodeConnectionOptions = {
    servers: [...options.servers],
    timeout: Math.min(connectTimeoutMs, DIAL_TIMEOUT_MS),
    maxReconnectAttempts: Number.isFinite(maxAttempts) ? maxAttempts : -1,
    reconnectDelayHandler: () => backoffMs(Math.max(1, tries), minDelayMs, maxDelayMs, context.clock.random),
    pingInterval: PING_INTERVAL_MS,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...(await login(client, options)),
  };
  let connection: NatsConnection;
  try {
    connection = await client.connect(native);
  } catch (error) {
    throw connectError(error, options.servers);
  }
  void (async () => {
    for await (const { type } of connection.status()) {
      if (type === "reconnecting") tries += 1;
      if (type === "reconnect") tries = 0;
    }
  })();
  return connection;
}

/** What an error of the connection means: refused or unproved credentials, or a server that cannot be reached. */
export function connectError(error: unknown, servers: readonly string[]): BrokerError {
  const where = servers.join(", ");
  const name = (error as { name?: unknown } | undefined)?.name;
  const text = describeError(error);
  if (name === "AuthorizationError" || name === "UserAuthenticationExpiredError")
    return new BrokerError("ERR_AUTHENTICATION", `The NATS server at ${where} refused the credentials.`, failed(error));
  if (isUnproved(error))
    return new BrokerError(
      "ERR_AUTHENTICATION",
      `The NATS server at ${where} could not prove itself: ${text}`,
      failed(error),
    );
  if (/does not support 'tls'|'tls' is not available/i.test(text))
    return new BrokerError("ERR_UNSUPPORTED", `The NATS server at ${where} has no TLS.`, failed(error));
  return new BrokerError("ERR_CONNECT_FAILED", `The NATS server at ${where} cannot be reached: ${text}`, failed(error));
}

async function login(client: NatsClient, options: ResolvedCoreOptions): Promise<NodeConnectionOptions> {
  const { user, password, token, nkey, credentials } = options;
  const encoder = new TextEncoder();
  if (user !== undefined) return password === undefined ? { user } : { user, pass: password };
  if (token !== undefined) return { token };
  if (nkey !== undefined) {
    const seed = encoder.encode(nkey);
    readable("nkey", () => client.nkeys.fromSeed(seed));
    return { authenticator: client.nkeyAuthenticator(seed) };
  }
  if (credentials === undefined) return {};
  const content = await readFile(credentials).catch((error: unknown) => {
    const message = `The credentials file cannot be read: ${describeError(error)}`;
    throw new BrokerError("ERR_INVALID_OPTION", message, { driver: "nats", cause: error });
  });
  const authenticator = readable("credentials", () => {
    const made = client.credsAuthenticator(content);
    made("nonce");
    return made;
  });
  return { authenticator };
}

// What the client throws may quote the secret.
function readable<T>(option: string, read: () => T): T {
  try {
    return read();
  } catch {
    throw new BrokerError(
      "ERR_INVALID_OPTION",
      `The option ${option} does not hold what a NATS client can log in with.`,
      {
        driver: "nats",
      },
    );
  }
}

function isUnproved(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    if (typeof code === "string" && /^(CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_)|_(TLS|SSL)_/.test(code)) return true;
  }
  return false;
}

function failed(cause: unknown): { driver: string; cause: unknown } {
  return { driver: "nats", cause };
}
