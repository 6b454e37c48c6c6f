import { check, oneOf } from "../../check-options.ts";
import { describeError } from "../../errors.ts";
import { guarded } from "../../hooks.ts";
import { type Clock, systemClock } from "../../internal/clock.ts";
import { defaultLogger, type Logger } from "../../logger.ts";
import type { BothSides, Side } from "./both-sides.ts";
import { checkMiddlewareOptions } from "./options.ts";

/** Options of {@link logging}. */
export interface LoggingOptions {
  /** Where the lines go. Default: standard error, at every level. */
  logger?: Logger;
  /** The level of messages that went well; failures are warnings. Default `"info"`. */
  level?: keyof Logger;
  /** Where the time comes from. Default the system's clock. */
  clock?: Clock;
}

/** What the logger gets beside the line. Never the payload, nor a header. */
export interface LoggedMessage {
  readonly side: Side;
  readonly topic: string;
  readonly id: string;
  /** On the subscribe side. */
  readonly queue?: string | undefined;
  /** On the subscribe side: which handler start this was, from 1. */
  readonly attempt?: number;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
  readonly outcome: "handled" | "published" | "failed";
  /** The state of the receipt, of what was published. */
  readonly state?: string;
  /** What was thrown, of what failed. */
  readonly error?: unknown;
}

const table = { logger: check.object, level: oneOf("debug", "info", "warn", "error"), clock: check.object };

/**
 * Logs one line for every handler start and every publish: topic, id, attempt, duration and outcome. Results and errors pass
 * through unchanged, also where the logger itself fails.
 * @throws BrokerError `ERR_INVALID_OPTION` when made
 */
export function logging(options: LoggingOptions = {}): BothSides {
  checkMiddlewareOptions("logging", options, table);
  const { logger = lineLogger, level = "info", clock = systemClock } = options;
  const log = (at: keyof Logger, message: LoggedMessage) =>
    guarded(
      () => logger[at](message, lineOf(message)),
      (error) => defaultLogger.error({ error }, `The logger of the logging middleware failed: ${describeError(error)}`),
    );
  const around = async <Result>(
    about: Pick<LoggedMessage, "side" | "topic" | "id" | "queue" | "attempt">,
    next: () => Promise<Result>,
    outcome: (result: Result) => Pick<LoggedMessage, "outcome" | "state">,
  ): Promise<Result> => {
    const startedAt = clock.now();
    let result: Result;
    try {
      result = await next();
    } catch (error) {
      log("warn", { ...about, durationMs: clock.now() - startedAt, outcome: "failed", error });
      throw error;
    }
    log(level, { ...about, durationMs: clock.now() - startedAt, ...outcome(result) });
    return result;
  };
  return {
    subscribe: ({ topic, id, queue, attempt }, next) =>
      around({ side: "subscribe", topic, id, queue, attempt }, next, () => ({ outcome: "handled" })),
    publish: ({ topic, id }, next) =>
      around({ side: "publish", topic, id }, next, ({ state }) => ({ outcome: "published", state })),
  };
}

function lineOf({ side, topic, id, queue, attempt, durationMs, outcome, state, error }: LoggedMessage): string {
  const verb = side === "publish" && outcome === "failed" ? "failed to publish" : outcome;
  const details = [
    ...(attempt === undefined ? [] : [`attempt ${attempt}`]),
    ...(queue === undefined ? [] : [`queue ${queue}`]),
  ];
  const shown = details.length === 0 ? "" : ` (${details.join(", ")})`;
  const end = outcome === "failed" ? `: ${describeError(error)}` : state === undefined ? "" : `: ${state}`;
  return oneLine(`${verb} ${topic} ${id} in ${durationMs} ms${shown}${end}`);
}

/** Topics, ids and errors may come from outside: none may begin a line of its own, or steer a terminal. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const toStandardError =
  (level: string): Logger["info"] =>
  (_details, message) => {
    process.stderr.write(`tidings: ${level}: ${message}\n`);
  };

/** Unlike the default logger of a broker it writes what went well, too: that is what this middleware is for. */
const lineLogger: Logger = {
  debug: toStandardError("debug"),
  info: toStandardError("info"),
  warn: toStandardError("warning"),
  error: toStandardError("error"),
};
