import { backoffMs as backoff } from "../../backoff.ts";
import { check } from "../../check-options.ts";
import { isFinal } from "../../errors.ts";
import { type Clock, systemClock } from "../../internal/clock.ts";
import { delay } from "../../internal/wait.ts";
import type { SubscribeMiddleware } from "../middleware.ts";
import { checkMiddlewareOptions } from "./options.ts";

/** Options of {@link retry}. */
export interface RetryOptions {
  /** How often the handler is called for one delivery, the first call included. Default 3, at least 1. */
  attempts?: number;
  /** Delay before the second call, in milliseconds; doubled each time, with up to 20 % jitter. Default 100. */
  backoffMs?: number;
  /** The longest delay between calls, in milliseconds, jitter not counted. Default 1,000. */
  maxBackoffMs?: number;
  /** Whether this error, of this call (from 1), is worth another call. Not asked about final errors. Default: all are. */
  when?: (error: unknown, attempt: number) => boolean;
  /** Where the time comes from. Default the system's clock. */
  clock?: Clock;
}

const table = {
  attempts: check.count,
  backoffMs: check.ms,
  maxBackoffMs: check.ms,
  when: check.call,
  clock: check.object,
};

/**
 * Calls what runs inside it again when it fails, within one delivery: the message stays with this handler, its slot stays
 * taken, and `context.attempt` stays as it is. When the calls are used up the last error passes through unchanged, and the
 * broker's own attempts go on from there.
 *
 * Never called again: after `NonRetryableError`, `ERR_UNDECODABLE` or `ERR_INVALID_PAYLOAD`, and once `context.signal` is
 * aborted, which also ends the wait for the next call.
 * @throws BrokerError `ERR_INVALID_OPTION` when made
 */
export function retry(options: RetryOptions = {}): SubscribeMiddleware {
  checkMiddlewareOptions("retry", options, table);
  const { attempts = 3, backoffMs = 100, maxBackoffMs = 1_000, when = () => true, clock = systemClock } = options;
  return async (context, next) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await next();
      } catch (error) {
        if (attempt >= attempts || isFinal(error) || !when(error, attempt)) throw error;
        const inTime = await delay(clock, backoff(attempt, backoffMs, maxBackoffMs, clock.random), context.signal).then(
          () => true,
          () => false,
        );
        // Why the handler failed says more than that there was no time to call it again.
        if (!inTime) throw error;
      }
    }
  };
}
