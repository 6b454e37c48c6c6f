import type { BrokerOptions, PublishOptions, ReconnectOptions, SubscribeOptions } from "./broker-options.ts";
import type { CommonOptions } from "./driver.ts";
import { BrokerError } from "./errors.ts";
import { DEFAULT_MAX_MESSAGE_BYTES } from "./message.ts";
import { checkQueue, checkTopic } from "./topics.ts";

/** Says what is wrong with a value, or `undefined` if nothing is. */
export type Check = (value: unknown) => string | undefined;

/** Ready-made checks for option tables. */
export const check: Readonly<
  Record<"count" | "size" | "ms" | "positiveMs" | "flag" | "text" | "secret" | "call" | "object", Check>
> = {
  count: (value) =>
    value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && (value as number) >= 1)
      ? undefined
      : "a whole number, 1 or more",
  size: (value) =>
    value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && (value as number) >= 0)
      ? undefined
      : "a whole number, 0 or more",
  ms: (value) =>
    typeof value === "number" && Number.isFinite(value) && value >= 0
      ? undefined
      : "a number of milliseconds, 0 or more",
  positiveMs: (value) => (typeof value === "number" && value > 0 ? undefined : "a number of milliseconds, more than 0"),
  flag: (value) => (typeof value === "boolean" ? undefined : "true or false"),
  text: (value) => (typeof value === "string" && value !== "" ? undefined : "a string that is not empty"),
  secret: (value) =>
    (typeof value === "string" || value instanceof Uint8Array) && value.length > 0
      ? undefined
      : "a string or bytes, not empty",
  call: (value) => (typeof value === "function" ? undefined : "a function"),
  object: (value) => (typeof value === "object" && value !== null ? undefined : "an object"),
};

/** A check for one of a few strings. */
export function oneOf(...allowed: readonly string[]): Check {
  return (value) =>
    allowed.includes(value as string) ? undefined : allowed.map((text) => JSON.stringify(text)).join(" or ");
}

/**
 * Checks options against a table: every name must be known, every value allowed; `undefined` counts as not given.
 * @param owner whose options they are, for the message.
 * @throws BrokerError `ERR_INVALID_OPTION` that names the option, the value and what is allowed.
 */
export function checkOptions(options: unknown, table: Readonly<Record<string, Check>>, owner: string): void {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null)
    throw new BrokerError("ERR_INVALID_OPTION", `The options of ${owner} are an object, not ${String(options)}.`);
  for (const [name, value] of Object.entries(options)) {
    const test = Object.hasOwn(table, name) ? table[name] : undefined;
    if (test === undefined)
      throw new BrokerError(
        "ERR_INVALID_OPTION",
        `${owner} has no option ${JSON.stringify(name)}. It has: ${Object.keys(table).join(", ")}.`,
      );
    if (value === undefined) continue;
    const wanted = test(value);
    if (wanted !== undefined)
      throw new BrokerError(
        "ERR_INVALID_OPTION",
        `The option ${name} of ${owner} is ${wanted}, not ${showValue(name, value)}.`,
      );
  }
}

const SECRET_OPTIONS = new Set(["secret", "tls"]);

function showValue(name: string, value: unknown): string {
  if (SECRET_OPTIONS.has(name)) return "what was given";
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

const reconnectTable: Readonly<Record<keyof ReconnectOptions, Check>> = {
  minDelayMs: check.ms,
  maxDelayMs: check.ms,
  maxAttempts: check.size,
};

const brokerTable: Readonly<Record<keyof BrokerOptions, Check>> = {
  maxMessageBytes: check.count,
  bufferMessages: check.size,
  bufferBytes: check.size,
  whenFull: oneOf("reject", "wait"),
  acceptTimeoutMs: check.ms,
  drainTimeoutMs: check.ms,
  connectTimeoutMs: check.positiveMs,
  reconnect: (value) => {
    const wrong = check.object(value);
    if (wrong === undefined) checkOptions(value, reconnectTable, "reconnect");
    return wrong;
  },
  codec: (value) => {
    const codec = value as { contentType?: unknown; encode?: unknown; decode?: unknown } | null;
    const complete =
      typeof codec?.contentType === "string" &&
      typeof codec.encode === "function" &&
      typeof codec.decode === "function";
    return complete ? undefined : "a codec: contentType, encode and decode";
  },
  logger: check.object,
  onError: check.call,
  registry: (value) => (typeof value === "string" ? check.text(value) : check.object(value)),
  registryAddress: check.text,
  wire: oneOf("tidings", "go-micro"),
  storage: check.text,
  secret: check.secret,
  tls: check.object,
  secure: check.flag,
  backlogMessages: check.count,
  backlogBytes: check.count,
  backlogAgeMs: check.positiveMs,
};

/**
 * Checks the options of a broker.
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export function checkBrokerOptions(options: BrokerOptions | undefined): void {
  checkOptions(options, brokerTable, "a broker");
}

/** Fills in the defaults of the options that every driver sees. */
export function withDefaults(options: BrokerOptions): BrokerOptions & CommonOptions {
  const { minDelayMs = 100, maxDelayMs = 2_000, maxAttempts = Number.POSITIVE_INFINITY } = options.reconnect ?? {};
  return {
    ...options,
    maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
    bufferMessages: options.bufferMessages ?? 10_000,
    bufferBytes: options.bufferBytes ?? 64 * 1024 * 1024,
    whenFull: options.whenFull ?? "reject",
    acceptTimeoutMs: options.acceptTimeoutMs ?? 5_000,
    drainTimeoutMs: options.drainTimeoutMs ?? 10_000,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    reconnect: { minDelayMs, maxDelayMs, maxAttempts },
  };
}

const aborting: Check = (value) => (value instanceof AbortSignal ? undefined : "an AbortSignal");

const publishTable: Readonly<Record<keyof PublishOptions, Check>> = {
  // What these hold is checked as part of the message.
  key: () => undefined,
  id: () => undefined,
  mandatory: check.flag,
  signal: aborting,
};

/**
 * Checks the options of `publish`.
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export function checkPublishOptions(options: PublishOptions): void {
  checkOptions(options, publishTable, "publish");
}

const subscribeTable: Readonly<Record<keyof SubscribeOptions, Check>> = {
  queue: (value) => {
    checkQueue(value);
    return undefined;
  },
  concurrency: check.count,
  prefetch: check.count,
  orderBy: oneOf("key"),
  autoAck: check.flag,
  maxAttempts: check.count,
  backoffMs: check.ms,
  maxBackoffMs: check.ms,
  ackTimeoutMs: check.positiveMs,
  deadLetter: (value) => {
    if (value !== false) checkTopic(value);
    return undefined;
  },
  drainTimeoutMs: check.ms,
  signal: aborting,
};

/** The options of a subscription with all defaults filled in. */
export interface ResolvedSubscribeOptions {
  readonly queue: string | undefined;
  readonly concurrency: number;
  readonly prefetch: number;
  readonly orderBy: "key" | undefined;
  readonly autoAck: boolean;
  readonly maxAttempts: number;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  readonly ackTimeoutMs: number;
  /** `undefined`: `dlq.<topic>`. */
  readonly deadLetter: string | false | undefined;
  readonly drainTimeoutMs: number;
}

/**
 * Checks the options of `subscribe` and fills in the defaults.
 * @throws BrokerError `ERR_INVALID_OPTION`, `ERR_INVALID_TOPIC`
 */
export function resolveSubscribeOptions(options: SubscribeOptions, drainTimeoutMs: number): ResolvedSubscribeOptions {
  checkOptions(options, subscribeTable, "subscribe");
  const concurrency = options.concurrency ?? 16;
  const prefetch = options.prefetch ?? (options.orderBy === "key" ? concurrency * 16 : concurrency);
  return {
    queue: options.queue,
    concurrency,
    prefetch,
    orderBy: options.orderBy,
    autoAck: options.autoAck ?? true,
    maxAttempts: options.maxAttempts ?? 5,
    backoffMs: options.backoffMs ?? 200,
    maxBackoffMs: options.maxBackoffMs ?? 30_000,
    ackTimeoutMs: options.ackTimeoutMs ?? 30_000,
    deadLetter: options.deadLetter,
    drainTimeoutMs: options.drainTimeoutMs ?? drainTimeoutMs,
  };
}
