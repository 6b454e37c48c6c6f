import { randomUUID } from "node:crypto";
import { type Check, check } from "../../check-options.ts";
import { BrokerError, describeError, wrapError } from "../../errors.ts";
import { guardedLogger } from "../../hooks.ts";
import type { Clock } from "../../internal/clock.ts";
import { defaultLogger, type Logger } from "../../logger.ts";
import type { SubscribeContext, SubscribeMiddleware } from "../middleware.ts";
import type { DedupeStore } from "./dedupe-store.ts";
import { memoryDedupeStore } from "./memory-dedupe-store.ts";
import { checkMiddlewareOptions, spanMs } from "./options.ts";

/** Options of {@link dedupe}. */
export interface DedupeOptions {
  /** Where handled messages are remembered. Default: the memory of this process. */
  store?: DedupeStore;
  /** How long a handled message is remembered, in milliseconds. Default 3,600,000 (1 h). */
  ttlMs?: number;
  /**
   * How long a claim holds whose process died, in milliseconds. Default 60,000. A handler that runs longer may find its message
   * handled a second time: keep it over the longest run.
   */
  claimTtlMs?: number;
  /** How many handled messages the memory store remembers. Default 100,000. Not together with `store`. */
  maxEntries?: number;
  /** Hears of a store that failed after the handler had ended. Default: warnings to standard error. */
  logger?: Logger;
  /** Where the memory store's time comes from. Default the system's clock. Not together with `store`. */
  clock?: Clock;
}

const store: Check = (value) => {
  const { claim, confirm, release } = (value ?? {}) as Partial<Record<keyof DedupeStore, unknown>>;
  return [claim, confirm, release].every((method) => typeof method === "function")
    ? undefined
    : "a store: claim, confirm and release";
};

const table = {
  store,
  ttlMs: spanMs,
  claimTtlMs: spanMs,
  maxEntries: check.count,
  logger: check.object,
  clock: check.object,
};

/**
 * Handles a message once, by its id, per topic and queue. A message that has been handled is acked without its handler;
 * one whose handler runs at this moment fails, so that it comes again after the subscription's backoff; one whose handler
 * failed may be handled again at once.
 *
 * It does not help a message whose process died between its effect and `confirm`: that one is handled twice.
 * @throws BrokerError `ERR_INVALID_OPTION` when made; `ERR_HANDLER_FAILED` (retryable) while the same message is being handled,
 * and where the store cannot be asked: then the handler does not run
 */
export function dedupe(options: DedupeOptions = {}): SubscribeMiddleware {
  checkMiddlewareOptions("dedupe", options, table);
  const { ttlMs = 3_600_000, claimTtlMs = 60_000, maxEntries, clock } = options;
  const logger = guardedLogger(options.logger ?? defaultLogger);
  if (options.store !== undefined && (maxEntries !== undefined || clock !== undefined)) {
    throw new BrokerError(
      "ERR_INVALID_OPTION",
      "maxEntries and clock of dedupe are for its memory store, not for a store given.",
    );
  }
  const store = options.store ?? memoryDedupeStore({ maxEntries, clock });

  // What the handler did is done: a store that cannot note it down changes neither its result nor its error.
  const note = async (context: SubscribeContext, verb: "confirm" | "release", call: () => void | Promise<void>) => {
    try {
      await call();
    } catch (error) {
      const { topic, id } = context;
      logger.warn(
        { topic, id, error },
        `The dedupe store could not ${verb} message ${id} on ${topic}: ${describeError(error)}`,
      );
    }
  };

  return async (context, next) => {
    const { topic, id } = context;
    const key = keyOf(context);
    const token = randomUUID();
    const claim = await ask(store, key, token, claimTtlMs, context);
    if (claim === "done") return undefined;
    if (claim !== "claimed") {
      const message = `Message ${id} on ${topic} is being handled already; it comes again in case that fails.`;
      throw new BrokerError("ERR_HANDLER_FAILED", message, { topic });
    }
    let result: unknown;
    try {
      result = await next();
    } catch (error) {
      await note(context, "release", () => store.release(key, token));
      throw error;
    }
    await note(context, "confirm", () => store.confirm(key, token, ttlMs));
    return result;
  };
}

async function ask(store: DedupeStore, key: string, token: string, ttlMs: number, { topic, id }: SubscribeContext) {
  try {
    return await store.claim(key, token, ttlMs);
  } catch (error) {
    throw wrapError(
      error,
      "ERR_HANDLER_FAILED",
      `The dedupe store could not be asked about message ${id} on ${topic}`,
      { topic },
    );
  }
}

function keyOf({ topic, id, subscription }: SubscribeContext): string {
  return JSON.stringify([subscription, topic, id]);
}
