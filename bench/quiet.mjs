// What brokers of the bench log.

/**
 * Errors only. Warnings would be that core NATS delivers at most once, and one for each message of a queue that is removed when
 * storage was measured.
 */
export const QUIET = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (_details, message) => console.error(message),
};
