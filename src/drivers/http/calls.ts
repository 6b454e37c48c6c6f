import type { DeadLetter, DeadLetterAdmin, DeadLetterTopic, QueueAdmin, QueueInfo } from "../../driver.ts";
import { checkPattern, checkQueue, checkTopic } from "../../topics.ts";
import type { QueueRecord } from "./records.ts";

/** What one process may ask another, beside messages: the name, its argument and its answer, as JSON. */
export interface PeerCalls {
  /** A queue exists: know it before you answer. */
  "queue-added": { argument: QueueRecord; answer: null };
  /** A queue was removed with what it holds. */
  "queue-removed": { argument: QueueRecord; answer: null };
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

/** Makes JSON of a dead letter. */
export function writeDeadLetter({ firstAt, lastAt, header, body, ...letter }: DeadLetter): DeadLetterText {
  return {
    letter,
    firstAt: firstAt.getTime(),
    lastAt: lastAt.getTime(),
    header: Object.entries(header),
    bodyBase64: Buffer.from(body).toString("base64"),
  };
}

/** Reads what {@link writeDeadLetter} made. */
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

/** What answers calls with: the queues and dead letters of this process. */
export interface Answering {
  readonly queues: QueueAdmin;
  readonly deadLetters: DeadLetterAdmin;
  addQueue(queue: QueueRecord): void;
}

/**
 * Answers the calls of peers.
 * @returns a function that takes a call's name and argument, whatever they are; it rejects what is no call
 */
export function answerCalls(own: Answering): (name: string, argument: unknown) => Promise<unknown> {
  const { queues, deadLetters } = own;
  const answers: Readonly<Record<keyof PeerCalls, (argument: unknown) => Promise<unknown>>> = {
    "queue-added": async (argument) => own.addQueue(queueOf(argument)),
    "queue-removed": async (argument) => {
      const { pattern, queue } = queueOf(argument);
      return queues.remove(pattern, queue);
    },
    queues: () => queues.list(),
    "dead-letter-topics": async () => (await deadLetters.topics?.()) ?? [],
    "dead-letters": async (argument) => (await deadLetters.list(lettersOf(argument).topic)).map(writeDeadLetter),
    redrive: async (argument) => {
      const { topic, ids } = lettersOf(argument);
      return deadLetters.redrive(topic, { ids });
    },
    drop: async (argument) => {
      const { topic, ids } = lettersOf(argument);
      return deadLetters.drop(topic, { ids });
    },
  };
  return async (name, argument) => {
    if (!Object.hasOwn(answers, name)) throw new Error(`there is no call ${JSON.stringify(name)}`);
    return answers[name as keyof PeerCalls](argument);
  };
}

function queueOf(argument: unknown): QueueRecord {
  const { pattern, queue } = (argument ?? {}) as Record<string, unknown>;
  checkPattern(pattern);
  checkQueue(queue);
  return { pattern, queue: queue as string };
}

function lettersOf(argument: unknown): { topic: string; ids: ReadonlySet<string> | undefined } {
  const { topic, id } = (argument ?? {}) as Record<string, unknown>;
  checkTopic(topic);
  if (id !== undefined && typeof id !== "string") throw new Error("an id is a string");
  return { topic, ids: id === undefined ? undefined : new Set([id]) };
}
