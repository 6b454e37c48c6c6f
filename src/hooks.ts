import { type BrokerError, describeError } from "./errors.ts";
import { defaultLogger, type Logger } from "./logger.ts";

type Level = keyof Logger;

/**
 * A program's logger whose failures stay its own: what logs is often in the middle of settling a message. A logger that throws, or
 * returns a promise that rejects, is told of on standard error, with what it was to log.
 */
export function guardedLogger(logger: Logger): Logger {
  if (logger === defaultLogger) return logger;
  const at = (level: Level) => (details: object, message: string) =>
    guarded(
      () => logger[level](details, message),
      (thrown) => defaultLogger.error({}, `The logger failed (${describeError(thrown)}) on: ${message}`),
    );
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Calls a program's `onError` hook; the logger hears where that throws, or returns a promise that rejects. */
export function tellHook(onError: (error: BrokerError) => void, error: BrokerError, logger: Logger): void {
  guarded(
    () => onError(error),
    (thrown) =>
      logger.error({ error: thrown }, `The onError hook failed (${describeError(thrown)}) on: ${error.message}`),
  );
}

/**
 * Calls a function of the program that may fail for itself alone; `failed` hears of that. Where a function returns nothing by its
 * type, one that returns a promise fits too.
 */
export function guarded(run: () => unknown, failed: (thrown: unknown) => void): void {
  try {
    const result = run();
    if (result instanceof Promise) result.catch(failed);
  } catch (thrown) {
    failed(thrown);
  }
}
