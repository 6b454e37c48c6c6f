/**
 * The first wire between Tidings peers: go-micro's POST, with what only Tidings peers know in request headers of its own,
 * and the outcome of each message in the answer. Specified in `docs/http.md`.
 */
import type { Outcome } from "../../driver.ts";
import { checkTag } from "../../message.ts";
import { checkTopic } from "../../topics.ts";

/** Request and answer headers of the wire. Values that may hold any character are percent-encoded UTF-8. */
export const WIRE_HEADERS = {
  /** The message's id: its presence says that the sender is a Tidings peer. */
  id: "tidings-id",
  topic: "tidings-topic",
  /** Names this handing-over, unique in the world: asked again after a cut, the receiver knows it. Not the message's id, which publishers may use twice. */
  delivery: "tidings-delivery",
  key: "tidings-key",
  attempt: "tidings-attempt",
  /** When the message failed first, in milliseconds since the epoch. */
  firstFailure: "tidings-first-failure",
  /** How long the receiver may take to find a place for the message before it answers 429, in milliseconds. */
  acceptWithin: "tidings-accept-within-ms",
  challenge: "tidings-challenge",
  proof: "tidings-proof",
} as const;

/** Paths beside the one that messages are posted to. */
export const WIRE_PATHS = {
  hello: "/_tidings/hello",
  prove: "/_tidings/prove",
  call: "/_tidings/call/",
} as const;

/** The registry's service names. */
export const SERVICE_NAMES = {
  /** go-micro's name: subscriptions that go-micro peers may reach too. */
  goMicro: "micro.http.broker",
  /** Subscriptions that only Tidings peers reach. */
  tidings: "tidings.http.broker",
  /** One node per process. */
  peers: "tidings.http.peer",
  /** One standing node per queue. */
  queues: "tidings.http.queue",
} as const;

/** go-micro's version of a subscription without a queue. */
export const BROADCAST_VERSION = "ff.http.broadcast";

/** The wires that this version speaks, as its nodes tell it: a faster one will join here. */
export const WIRES = "post";

/** The status that goes with each outcome. */
export const OUTCOME_STATUS: Readonly<Record<Outcome["kind"], number>> = {
  ack: 200,
  retry: 503,
  dead: 422,
  release: 409,
};

/** Other statuses with a meaning of their own between Tidings peers. */
export const STATUS = { unauthenticated: 401, forbidden: 403, gone: 404, tooLarge: 413, full: 429 } as const;

/** The last moment that a `Date` can hold, in milliseconds since the epoch. */
const MAX_TIME_MS = 8.64e15;

/** Reads an outcome from an answer's body; `undefined` when it is none. */
export function readOutcome(text: string): Outcome | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not JSON: not an answer of a Tidings peer.
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { kind, delayMs, attempt, attempts, firstFailureAt, to, reason, firstAt, lastAt } = value as Record<
    string,
    unknown
  >;
  if (kind === "ack" || kind === "release") return { kind };
  if (kind === "retry" && isTime(delayMs) && isCount(attempt) && attempt >= 1) {
    return { kind, delayMs, attempt, firstFailureAt: isTime(firstFailureAt) ? firstFailureAt : undefined };
  }
  if (
    kind === "dead" &&
    (to === false || isTopic(to)) &&
    typeof reason === "string" &&
    isCount(attempts) &&
    isTime(firstAt) &&
    isTime(lastAt)
  ) {
    return { kind, to, reason, attempts, firstAt, lastAt };
  }
  return undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Whether a value is a time or a duration in milliseconds that a `Date` can hold. */
export function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= MAX_TIME_MS;
}

/** Whether a value is a topic that a message may have. */
export function isTopic(value: unknown): value is string {
  return passes(() => checkTopic(value));
}

/** Whether a value is an id or a key that a message may have. */
export function isTag(value: unknown): value is string {
  return passes(() => checkTag("id", value));
}

function passes(check: () => void): boolean {
  try {
    check();
    return true;
  } catch {
    // The check throws for nothing else.
    return false;
  }
}

/** A header value for text of any characters. */
export function encodeText(text: string): string {
  return encodeURIComponent(text);
}

/** The text of a header value; `undefined` when it is missing or malformed. */
export function decodeText(value: string | string[] | undefined): string | undefined {
  if (typeof value !== "string") return undefined;
  try {
    return decodeURIComponent(value);
  } catch {
    // A malformed escape: as good as missing.
    return undefined;
  }
}
