import { check } from "../../check-options.ts";
import { BrokerError, describeError, isFinal } from "../../errors.ts";
import { guarded, guardedLogger } from "../../hooks.ts";
import { type Clock, systemClock } from "../../internal/clock.ts";
import { defaultLogger, type Logger } from "../../logger.ts";
import type { BothSides, Side } from "./both-sides.ts";
import { Circuit, type CircuitState } from "./circuit.ts";
import { checkMiddlewareOptions, spanMs } from "./options.ts";

/** A change of state, as `onChange` hears of it. */
export interface CircuitChange {
  readonly side: Side;
  readonly from: CircuitState;
  readonly to: CircuitState;
  /** The failure that opened the circuit; `undefined` for other changes. */
  readonly error: unknown;
}

/** Options of {@link circuitBreaker}. */
export interface CircuitBreakerOptions {
  /** How many failures in a row open the circuit. Default 5, at least 1. */
  failures?: number;
  /** How long an open circuit lets nothing through, in milliseconds. Default 30,000. */
  resetMs?: number;
  /**
   * Whether an error is one of what stands behind the circuit. One that is not decides nothing: it neither counts nor ends a
   * row. Default: all but those that are the message's own fault (`NonRetryableError`, and errors of scope `message` that are
   * not retryable).
   */
  isFailure?: (error: unknown) => boolean;
  /** Called at every change of state, at once. What it throws, or rejects with, is logged, and changes nothing. */
  onChange?: (change: CircuitChange) => void;
  /** Hears of every change: a warning when a circuit opens, else `info`. Default: warnings to standard error. */
  logger?: Logger;
  /** Where the time comes from. Default the system's clock. */
  clock?: Clock;
}

/** What {@link circuitBreaker} makes: a middleware whose state can be looked at. */
export interface CircuitBreaker extends BothSides {
  /** The state of either side's circuit, now. An open one becomes `half-open` when the next message comes after `resetMs`. */
  readonly state: { readonly [side in Side]: CircuitState };
}

const table = {
  failures: check.count,
  resetMs: spanMs,
  isFailure: check.call,
  onChange: check.call,
  logger: check.object,
  clock: check.object,
};

/**
 * Spares what fails: after `failures` failures in a row the circuit opens, and messages fail at once instead of being tried.
 * After `resetMs` one is let through; if it succeeds the circuit closes, if not it stays open for another `resetMs`. A message
 * let through that does not end within `resetMs` is not waited for: another one is tried.
 *
 * Each side has a circuit of its own, for everything the middleware is used on. A message that is refused on the subscribe
 * side comes again when the circuit may let it through, and has used an attempt: `maxAttempts` times `resetMs` must reach
 * over the outage, or messages become dead letters.
 * @throws BrokerError `ERR_INVALID_OPTION` when made. While open `ERR_CIRCUIT_OPEN`, retryable, with the last failure as its
 * `cause` and with `retryAfterMs`: on the subscribe side the message comes again then
 */
export function circuitBreaker(options: CircuitBreakerOptions = {}): CircuitBreaker {
  checkMiddlewareOptions("circuitBreaker", options, table);
  const { failures = 5, resetMs = 30_000, isFailure = isNotTheMessage, onChange, clock = systemClock } = options;
  const logger = guardedLogger(options.logger ?? defaultLogger);
  const tell = (change: CircuitChange) => {
    const { side, to, error } = change;
    if (to === "open")
      logger.warn(change, `The circuit of the ${side} side is open for ${resetMs} ms: ${describeError(error)}`);
    else logger.info(change, `The circuit of the ${side} side is ${to}.`);
    guarded(
      () => onChange?.(change),
      (thrown) =>
        logger.error({ error: thrown }, `The onChange hook of circuitBreaker failed: ${describeError(thrown)}`),
    );
  };
  const circuitOf = (side: Side) =>
    new Circuit({
      failures,
      resetMs,
      clock,
      isFailure,
      onChange: (from, to, error) => tell({ side, from, to, error }),
    });
  const handling = circuitOf("subscribe");
  const publishing = circuitOf("publish");
  return {
    subscribe: ({ topic }, next) => handling.run(next, () => refusal("subscribe", handling, topic)),
    publish: ({ topic }, next) => publishing.run(next, () => refusal("publish", publishing, topic)),
    state: {
      get subscribe() {
        return handling.state;
      },
      get publish() {
        return publishing.state;
      },
    },
  };
}

function isNotTheMessage(error: unknown): boolean {
  if (isFinal(error)) return false;
  return !(error instanceof BrokerError && error.scope === "message" && !error.retryable);
}

function refusal(side: Side, circuit: Circuit, topic: string): BrokerError {
  const { lastFailure: cause, refusingMs: retryAfterMs, state } = circuit;
  const message = `The circuit of the ${side} side is ${state}, for at most ${retryAfterMs} ms more; the last failure: ${describeError(cause)}`;
  return new BrokerError("ERR_CIRCUIT_OPEN", message, { topic, cause, retryAfterMs });
}
