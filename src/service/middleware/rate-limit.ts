import { type Check, check } from "../../check-options.ts";
import { type Clock, systemClock } from "../../internal/clock.ts";
import type { BothSides } from "./both-sides.ts";
import { checkMiddlewareOptions } from "./options.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Options of {@link rateLimit}. */
export interface RateLimitOptions {
  /** How many messages a second pass in the long run: more than 0, fractions allowed. */
  perSecond: number;
  /** How many pass at once after a pause, at least 1. Default: those of one second, rounded up. */
  burst?: number;
  /** Where the time comes from. Default the system's clock. */
  clock?: Clock;
}

const rate: Check = (value) =>
  typeof value === "number" && Number.isFinite(value) && value > 0
    ? undefined
    : "a number of messages a second, more than 0";

const table = { perSecond: rate, burst: check.count, clock: check.object };

/**
 * Lets messages pass at a steady rate, in order of coming, and makes the others wait (a token bucket). In any span of `t`
 * seconds at most `burst + perSecond * t` pass. Each side has a bucket of its own, for everything the middleware is used on.
 *
 * On the subscribe side a message waits in its handler's slot, so that `prefetch` holds the sender back; the wait counts
 * towards `ackTimeoutMs`, which should therefore be well over `concurrency / perSecond` seconds. On the publish side the call
 * waits; there is no bound on how many calls do.
 * @throws BrokerError `ERR_INVALID_OPTION` when made; the reason of `context.signal` when it is aborted while a message waits
 */
export function rateLimit(options: RateLimitOptions): BothSides {
  checkMiddlewareOptions("rateLimit", options, table, ["perSecond"]);
  const { perSecond, burst = Math.ceil(perSecond), clock = systemClock } = options;
  const handling = new TokenBucket(perSecond, burst, clock);
  const publishing = new TokenBucket(perSecond, burst, clock);
  return {
    subscribe: async (context, next) => {
      // The signal is made when it is first read: only who waits needs one.
      if (!handling.tryTake()) await handling.take(context.signal);
      return next();
    },
    publish: async (context, next) => {
      if (!publishing.tryTake()) await publishing.take(context.signal);
      return next();
    },
  };
}
