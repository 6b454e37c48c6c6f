/** How far the damage of an error reaches: one message, one subscription, or the whole connection. */
export type ErrorScope = "message" | "subscription" | "connection";

interface ErrorCodeEntry {
  /** Whether the same call may succeed later, without a change by the caller. */
  readonly retryable: boolean;
  /** The scope that most errors of this code have. */
  readonly scope: ErrorScope;
  /** One sentence: what happened. `docs/errors.md` adds what to do. */
  readonly summary: string;
}

/**
 * The closed table of error codes. Act upon `error.code`, never upon a message.
 * `docs/errors.md` documents every entry, and a test holds the two together.
 */
export const ERROR_CODES = {
  ERR_NOT_CONNECTED: {
    retryable: false,
    scope: "connection",
    summary: "The broker is not connected.",
  },
  ERR_CONNECTED: {
    retryable: false,
    scope: "connection",
    summary: "The call is only allowed before connecting.",
  },
  ERR_CONNECT_FAILED: {
    retryable: true,
    scope: "connection",
    summary: "The broker could not be reached or opened in time.",
  },
  ERR_CONNECTION_LOST: {
    retryable: true,
    scope: "connection",
    summary: "The connection broke before the call was finished.",
  },
  ERR_AUTHENTICATION: {
    retryable: false,
    scope: "connection",
    summary: "The other side refused the credentials, or could not prove its own.",
  },
  ERR_ADDRESS_IN_USE: {
    retryable: false,
    scope: "connection",
    summary: "Another program listens on the address.",
  },
  ERR_REGISTRY: {
    retryable: true,
    scope: "connection",
    summary: "The registry failed, or cannot be trusted.",
  },
  ERR_STORAGE: {
    retryable: false,
    scope: "connection",
    summary: "The storage folder failed, is damaged, or belongs to something else.",
  },
  ERR_UNSUPPORTED: {
    retryable: false,
    scope: "connection",
    summary: "The broker cannot keep what was asked for.",
  },
  ERR_MISSING_DEPENDENCY: {
    retryable: false,
    scope: "connection",
    summary: "An optional package that is needed is not installed.",
  },
  ERR_INVALID_OPTION: {
    retryable: false,
    scope: "connection",
    summary: "An option, a flag or a URL is not valid.",
  },
  ERR_INVALID_TOPIC: {
    retryable: false,
    scope: "message",
    summary: "The topic, pattern or queue name is not valid.",
  },
  ERR_INVALID_MESSAGE: {
    retryable: false,
    scope: "message",
    summary: "The message's header, body, id or key cannot be sent.",
  },
  ERR_MESSAGE_TOO_LARGE: {
    retryable: false,
    scope: "message",
    summary: "The message is larger than `maxMessageBytes`.",
  },
  ERR_BACKLOG_FULL: {
    retryable: true,
    scope: "message",
    summary: "The buffer or outbox has no room for the message.",
  },
  ERR_NO_SUBSCRIBERS: {
    retryable: true,
    scope: "message",
    summary: "Nobody wants a message that was published with `mandatory`.",
  },
  ERR_UNDELIVERED: {
    retryable: false,
    scope: "connection",
    summary: "Messages were given up because the broker closed.",
  },
  ERR_NOT_FOUND: {
    retryable: false,
    scope: "message",
    summary: "The queue or dead letter that was named does not exist.",
  },
  ERR_UNDECODABLE: {
    retryable: false,
    scope: "message",
    summary: "The body is not what the decoder expects.",
  },
  ERR_INVALID_PAYLOAD: {
    retryable: false,
    scope: "message",
    summary: "The payload is not what the topic's schema, or the codec, allows.",
  },
  ERR_STALE_DELIVERY: {
    retryable: false,
    scope: "message",
    summary: "The delivery was settled after its time limit, or after its subscription ended.",
  },
  ERR_HANDLER_FAILED: {
    retryable: true,
    scope: "message",
    summary: "A handler threw, or did not settle in time.",
  },
  ERR_CIRCUIT_OPEN: {
    retryable: true,
    scope: "message",
    summary: "A circuit breaker refused the call: too many before it had failed.",
  },
  ERR_DEAD_LETTER: {
    retryable: true,
    scope: "message",
    summary: "A dead letter could not be written; its message stays.",
  },
  ERR_DRIVER: {
    retryable: false,
    scope: "connection",
    summary: "The driver failed in a way that has no code of its own.",
  },
} as const;

ERROR_CODES satisfies Record<string, ErrorCodeEntry>;

/** One of the codes of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;
