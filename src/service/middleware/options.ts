import { type Check, checkOptions } from "../../check-options.ts";
import { BrokerError } from "../../errors.ts";
import { MAX_TIMER_MS } from "../../internal/clock.ts";

/** A limit that a timer of its own keeps. */
export const timerMs: Check = (value) =>
  typeof value === "number" && value > 0 && value <= MAX_TIMER_MS
    ? undefined
    : `a number of milliseconds, more than 0 and at most ${MAX_TIMER_MS}`;

/** A span of time that is compared, not waited for. */
export const spanMs: Check = (value) =>
  typeof value === "number" && Number.isFinite(value) && value > 0
    ? undefined
    : "a number of milliseconds, more than 0";

/**
 * Checks the options of a middleware.
 * @param required the options that have no default
 * @throws BrokerError `ERR_INVALID_OPTION` that names the option, the value and what is allowed
 */
export function checkMiddlewareOptions(
  owner: string,
  options: object | undefined,
  table: Readonly<Record<string, Check>>,
  required: readonly string[] = [],
): void {
  checkOptions(options, table, owner);
  for (const name of required) {
    if ((options as Record<string, unknown> | undefined)?.[name] !== undefined) continue;
    throw new BrokerError("ERR_INVALID_OPTION", `${owner} needs ${name}: ${table[name]?.(undefined)}.`);
  }
}
