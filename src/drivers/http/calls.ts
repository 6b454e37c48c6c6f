import type { DeadLetter, DeadLetterAdmin, DeadLetterTopic, QueueInfo } from "../../driver.ts";
import type { Service } from "../../registry.ts";

/** What one process may ask another, beside messages: the name in the path, its argument and its answer, as JSON. */
export interface PeerCalls {
  /** A subscription or queue exists: know it before you answer. */
  added: { argument: Service; answer: null };
  /** A subscription is leaving. */
  left: { argument: { nodeId: string }; answer: null };
  /** A queue was removed with what it holds. */
  "queue-removed": { argument: { pattern: string; queue: string }; answer: null };
  /** The queues that this process keeps messages for. */
  queues: { argument: null; answer: QueueInfo[] };
  /** The dead-letter topics that this process keeps dead letters of. */
  "dead-letter-topics": { argument: null; answer: DeadLetterTopic[] };
  "dead-letters": { argument: { topic: string }; answer: DeadLetterText[] };
  redrive: { argument: { topic: string; id?: string }; answer: number };
  drop: { argument: { topic: string; id?: string }; answer: number };
}

/** A dead letter as JSON carries it. */
export interface DeadLetterText {
  readonly letter: Omit<DeadLetter, "firstAt" | "lastAt" | "header" | "body">;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly header: readonly (readonly [string, string])[];
  readonly bodyBase64: string;
}

/** A dead letter as JSON carries it. */
export function writeDeadLetter({ firstAt, lastAt, header, body, ...letter }: DeadLetter): DeadLetterText {
  return {
    letter,
    firstAt: firstAt.getTime(),
    lastAt: lastAt.getTime(),
    header: Object.entries(header),
    bodyBase64: Buffer.from(body).toString("base64"),
  };
}

/** A dead letter again. */
export function readDeadLetter({ letter, firstAt, lastAt, header, bodyBase64 }: DeadLetterText): DeadLetter {
  const map: Record<string, string> = Object.create(null);
  for (const [name, value] of header) map[name] = value;
  return {
    ...letter,
    queue: letter.queue,
    firstAt: new Date(firstAt),
    lastAt: new Date(lastAt),
    header: map,
    body: Buffer.from(bodyBase64, "base64"),
  };
}

/** Answers the calls about dead letters from this process's own. */
export function deadLetterCalls(
  own: DeadLetterAdmin,
): Pick<
  Record<keyof PeerCalls, (argument: never) => Promise<unknown>>,
  "dead-letter-topics" | "dead-letters" | "redrive" | "drop"
> {
  return {
    "dead-letter-topics": async () => (await own.topics?.()) ?? [],
    "dead-letters": async ({ topic }: { topic: string }) => (await own.list(topic)).map(writeDeadLetter),
    redrive: ({ topic, id }: { topic: string; id?: string }) => own.redrive(topic, { id }),
    drop: ({ topic, id }: { topic: string; id?: string }) => own.drop(topic, { id }),
  };
}
