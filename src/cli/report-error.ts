import { inspect } from "node:util";
import type { ErrorCode } from "../error-codes.ts";
import { type BrokerError, wrapError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { visible } from "./escape.ts";
import type { Terminal } from "./terminal.ts";

/** Codes that say that the command was used wrongly: on the command line only arguments bring them about. */
const USAGE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "ERR_INVALID_OPTION",
  "ERR_INVALID_TOPIC",
  "ERR_INVALID_MESSAGE",
]);

/** An error as one line, `ERR_CODE: message`, without control characters. */
export function errorLine(error: unknown): string {
  const { code, message } = asBrokerError(error);
  return `${code}: ${visible(message)}`;
}

/** The exit status that an error stands for: 2 for wrong usage, 1 for a failure. */
export function exitStatus(error: unknown): 1 | 2 {
  return USAGE.has(asBrokerError(error).code) ? 2 : 1;
}

/** Writes an error to standard error; with `TIDINGS_DEBUG=1` with its stack and causes. */
export function reportError(error: unknown, terminal: Terminal): void {
  terminal.stderr.write(`${errorLine(error)}\n`);
  if (terminal.env.TIDINGS_DEBUG === "1") terminal.stderr.write(`${inspect(error)}\n`);
}

/** Whether an error says that the reader of standard output has left: nothing is wrong, there is just nobody to write to. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

/**
 * What a broker's errors that no call returns become: warnings on standard error. What the command itself fails with is an error
 * line of its own.
 */
export function terminalOnError({ stderr }: Terminal): (error: BrokerError) => void {
  return (error) => {
    stderr.write(`warning: ${errorLine(error)}\n`);
  };
}

/** A logger that writes warnings and errors to standard error. */
export function terminalLogger({ stderr }: Terminal): Logger {
  const write = (level: string, message: string) => {
    stderr.write(`${level}: ${visible(message)}\n`);
  };
  return {
    debug: () => {},
    info: () => {},
    warn: (_details, message) => write("warning", message),
    error: (_details, message) => write("error", message),
  };
}

function asBrokerError(error: unknown): BrokerError {
  return wrapError(error, "ERR_DRIVER", "Unexpected error");
}
