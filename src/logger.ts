/** What Tidings logs to. A pino logger fits, and so does `console`. */
export interface Logger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** The default logger: warnings and errors go to standard error, one line each. */
export const defaultLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: (_details, message) => write("warning", message),
  error: (_details, message) => write("error", message),
};

/** A logger that says nothing. */
export const silentLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function write(level: string, message: string): void {
  process.stderr.write(`tidings: ${level}: ${message}\n`);
}
