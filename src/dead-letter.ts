import type { Dead, DeadLetter } from "./driver.ts";
import type { Header } from "./message.ts";

/** The headers that a dead letter has beside the message's own. Times are ISO 8601. */
export const DEAD_LETTER_HEADERS = {
  topic: "Tidings-Dead-Topic",
  /** Empty for a broadcast subscription. */
  queue: "Tidings-Dead-Queue",
  reason: "Tidings-Dead-Reason",
  attempts: "Tidings-Dead-Attempts",
  first: "Tidings-Dead-First",
  last: "Tidings-Dead-Last",
} as const;

/** Longest reason kept, in characters: what fits into any engine's header. */
const MAX_REASON_LENGTH = 1_000;

/** The header of a dead letter: the message's own, and why, where, when and how often it failed. */
export function deadLetterHeader(
  header: Header,
  topic: string,
  queue: string | undefined,
  dead: Omit<Dead, "kind" | "to">,
): Header {
  const all: Record<string, string> = Object.assign(Object.create(null), header);
  all[DEAD_LETTER_HEADERS.topic] = topic;
  all[DEAD_LETTER_HEADERS.queue] = queue ?? "";
  all[DEAD_LETTER_HEADERS.reason] = dead.reason.slice(0, MAX_REASON_LENGTH).toWellFormed();
  all[DEAD_LETTER_HEADERS.attempts] = String(dead.attempts);
  all[DEAD_LETTER_HEADERS.first] = new Date(dead.firstAt).toISOString();
  all[DEAD_LETTER_HEADERS.last] = new Date(dead.lastAt).toISOString();
  return Object.freeze(all);
}

/** A dead letter as a driver keeps it: a message on a dead-letter topic, with the added headers. */
export interface KeptDeadLetter {
  readonly id: string;
  /** The dead-letter topic. */
  readonly topic: string;
  readonly header: Header;
  readonly body: Uint8Array;
  /** When it was kept, in milliseconds since the epoch: what a message that somebody published there by hand failed at. */
  readonly keptAt: number;
}

/** What `broker.deadLetters.list()` shows of a dead letter. The body is copied. */
export function showDeadLetter({ id, topic, header, body, keptAt }: KeptDeadLetter): DeadLetter {
  const queue = header[DEAD_LETTER_HEADERS.queue];
  return {
    id,
    topic: header[DEAD_LETTER_HEADERS.topic] ?? topic,
    queue: queue === "" ? undefined : queue,
    reason: header[DEAD_LETTER_HEADERS.reason] ?? "",
    attempts: Number(header[DEAD_LETTER_HEADERS.attempts] ?? 0) || 0,
    firstAt: timeOf(header[DEAD_LETTER_HEADERS.first], keptAt),
    lastAt: timeOf(header[DEAD_LETTER_HEADERS.last], keptAt),
    header: withoutDeadLetterHeader(header),
    body: Uint8Array.prototype.slice.call(body),
  };
}

/** The time that a header says, or when the dead letter was kept, where it says none: somebody published it by hand. */
function timeOf(text: string | undefined, keptAt: number): Date {
  const time = new Date(text ?? keptAt);
  return Number.isNaN(time.getTime()) ? new Date(keptAt) : time;
}

/** The message's own header again. */
export function withoutDeadLetterHeader(header: Header): Header {
  const own: Record<string, string> = Object.assign(Object.create(null), header);
  for (const name of Object.values(DEAD_LETTER_HEADERS)) delete own[name];
  return Object.freeze(own);
}
