import { check } from "../../check-options.ts";
import { BrokerError } from "../../errors.ts";
import { type Clock, systemClock } from "../../internal/clock.ts";
import { deferred } from "../../internal/deferred.ts";
import type { SubscribeMiddleware } from "../middleware.ts";
import { checkMiddlewareOptions, timerMs } from "./options.ts";

/** Options of {@link timeout}. */
export interface TimeoutOptions {
  /** Where the time comes from. Default the system's clock. */
  clock?: Clock;
}

const table = { ms: timerMs, clock: check.object };

/**
 * Gives what runs inside it `ms` milliseconds. What is late then has its `context.signal` aborted, and the message fails with
 * the same error: it comes again as after any failure. The late result, or error, is ignored.
 *
 * The broker takes a message that failed for one whose handler has ended: a handler that ignores its signal runs on beside
 * the next, uncounted by `concurrency`. The subscription's own `ackTimeoutMs` keeps the slot until the handler has ended. Once
 * the outer signal is aborted (by `ackTimeoutMs`, or the end of a drain) this limit rests: the broker has decided.
 * @param ms more than 0, at most 2,147,483,647
 * @throws BrokerError `ERR_INVALID_OPTION` when made; `ERR_HANDLER_FAILED` (retryable) for a handler that is late
 */
export function timeout(ms: number, options: TimeoutOptions = {}): SubscribeMiddleware {
  checkMiddlewareOptions("timeout", { ms, ...options }, table, ["ms"]);
  const { clock = systemClock } = options;
  return async (context, next) => {
    const outer = context.signal;
    const limited = new AbortController();
    const late = deferred<never>();
    const timer = clock.after(ms, () => {
      const message = `The handler of ${context.topic} did not end within ${ms} ms on message ${context.id}.`;
      const error = new BrokerError("ERR_HANDLER_FAILED", message, { topic: context.topic });
      // Before the signal: a handler that returns when it is aborted is late all the same.
      late.reject(error);
      limited.abort(error);
    });
    const follow = () => {
      timer.cancel();
      limited.abort(outer.reason);
    };
    if (outer.aborted) follow();
    else outer.addEventListener("abort", follow, { once: true });
    context.signal = limited.signal;
    try {
      return await Promise.race([next(), late.promise]);
    } finally {
      timer.cancel();
      outer.removeEventListener("abort", follow);
      // Another run may have set its own meanwhile, when this one was given up by something outside it.
      if (context.signal === limited.signal) context.signal = outer;
    }
  };
}
