import { ERROR_CODES, type ErrorCode, type ErrorScope } from "./error-codes.ts";

const BRAND: unique symbol = Symbol.for("tidings.BrokerError") as never;
const NON_RETRYABLE: unique symbol = Symbol.for("tidings.NonRetryableError") as never;

/** What {@link BrokerError} is made from, beside its code and message. */
export interface BrokerErrorOptions {
  /** The error underneath, if any. */
  cause?: unknown;
  /** The driver that reported it. */
  driver?: string | undefined;
  /** The topic or pattern concerned. */
  topic?: string | undefined;
  /** Overrides the table's value for this code. */
  retryable?: boolean;
  /** Overrides the table's value for this code. */
  scope?: ErrorScope;
  /** How many messages are concerned (`ERR_UNDELIVERED`). */
  count?: number;
  /** When trying again may help, in milliseconds from now: thrown by a handler, it takes the place of the backoff. */
  retryAfterMs?: number;
}

/**
 * The one error class of Tidings. `code` comes from a closed table; messages may change between releases, codes do not.
 * `instanceof` holds across two installed copies of the package.
 */
export class BrokerError extends Error {
  override readonly name = "BrokerError";
  /** What happened, from the closed table of `docs/errors.md`. */
  readonly code: ErrorCode;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** How far the damage reaches. */
  readonly scope: ErrorScope;
  /** The driver that reported it, if one did. */
  readonly driver?: string;
  /** The topic concerned, if one is. */
  readonly topic?: string;
  /** How many messages are concerned, where that is known. */
  readonly count?: number;
  /** When trying again may help, in milliseconds from when it was thrown, where that is known. */
  readonly retryAfterMs?: number;

  constructor(code: ErrorCode, message: string, options: BrokerErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const entry = ERROR_CODES[code];
    this.code = code;
    this.retryable = options.retryable ?? entry.retryable;
    this.scope = options.scope ?? entry.scope;
    if (options.driver !== undefined) this.driver = options.driver;
    if (options.topic !== undefined) this.topic = options.topic;
    if (options.count !== undefined) this.count = options.count;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    Object.defineProperty(this, BRAND, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return carries(value, BRAND);
  }
}

/**
 * Thrown by a handler to say that trying again is useless: the message becomes a dead letter at once,
 * with this error's message as the reason.
 */
export class NonRetryableError extends Error {
  override readonly name: string = "NonRetryableError";

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    Object.defineProperty(this, NON_RETRYABLE, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return carries(value, NON_RETRYABLE);
  }
}

const FINAL_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["ERR_UNDECODABLE", "ERR_INVALID_PAYLOAD"]);

/** Whether a handler's error makes further attempts useless. */
export function isFinal(error: unknown): boolean {
  return error instanceof NonRetryableError || (error instanceof BrokerError && FINAL_CODES.has(error.code));
}

/** Wraps what a driver threw, once: a `BrokerError` passes through unchanged. */
export function wrapError(
  error: unknown,
  code: ErrorCode,
  context: string,
  options: BrokerErrorOptions = {},
): BrokerError {
  if (error instanceof BrokerError) return error;
  return new BrokerError(code, `${context}: ${describeError(error)}`, { ...options, cause: error });
}

/** A short text for any thrown value, also for one that has none of its own. Never throws. */
export function describeError(error: unknown): string {
  try {
    if (error instanceof Error) return textOf(error.message === "" ? error.name : error.message);
  } catch {
    // It has a message that cannot be read: what kind of thing it is can be said all the same.
  }
  return textOf(error);
}

function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    // It has no text: an object without a prototype, for example.
    return kindOf(value);
  }
}

function kindOf(value: unknown): string {
  try {
    return Object.prototype.toString.call(value);
  } catch {
    // A proxy that was revoked.
    return "what cannot be shown";
  }
}

/** Never throws: handlers may throw anything, a proxy that answers no question too. */
function carries(value: unknown, brand: symbol): boolean {
  try {
    return typeof value === "object" && value !== null && brand in value;
  } catch {
    // What cannot be looked at is none of ours.
    return false;
  }
}
