import { createHash } from "node:crypto";
import { isDeadLetterTopic } from "../../topics.ts";
import { memo } from "./memo.ts";

/** In a subject's place for whom a message is: everybody. A redriven message names one consumer instead. */
export const EVERYBODY = "-";

const RESERVED = /[^!-$&-)+-=?-~]/gu;
const ESCAPED = /(?:%[0-9A-F]{2})+/g;
const DEAD_PREFIX = "dlq.";

/**
 * A word, topic or pattern as NATS may carry it: whatever is not printable ASCII, and `%`, become `%XX` of their UTF-8
 * bytes, and so do `*` and `>`, except as words of their own where they are wildcards.
 */
export function escapeWords(words: string, wildcards: boolean): string {
  const one = (word: string): string =>
    wildcards && (word === "*" || word === ">") ? word : word.replace(RESERVED, percent);
  return words.split(".").map(one).join(".");
}

/** The topic that {@link escapeWords} was given. What it cannot have made stays as it is. */
export function unescapeWords(subject: string): string {
  return subject.replace(ESCAPED, (text) => {
    const bytes = Buffer.from(text.replaceAll("%", ""), "hex");
    const words = bytes.toString("utf8");
    return Buffer.from(words, "utf8").equals(bytes) ? words : text;
  });
}

/** Every subject, stream and consumer name of one prefix. */
export class Names {
  readonly prefix: string;
  readonly #escaped: (topic: string) => string = memo((topic) => escapeWords(topic, false));
  readonly #unescaped: (words: string) => string = memo(unescapeWords);

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  /** The stream of everything that is published, for queues and broadcast subscriptions. */
  get messages(): string {
    return `${this.prefix}-messages`;
  }

  /** The stream of copies of dead letters, for queues and broadcast subscriptions on dead-letter topics. */
  get copies(): string {
    return `${this.prefix}-copies`;
  }

  /** The stream in which a pattern finds its messages. */
  streamOf(pattern: string): string {
    return isDeadLetterTopic(pattern) ? this.copies : this.messages;
  }

  /** The stream of the standing queues of all dead-letter topics. */
  get dead(): string {
    return `${this.prefix}-dead`;
  }

  /** The stream of what is remembered of a message between its attempts. */
  get attempts(): string {
    return `${this.prefix}-attempts`;
  }

  /** What is published to a topic, or redriven to one consumer; for a dead-letter topic, the copies. */
  topic(topic: string, to: string = EVERYBODY): string {
    return isDeadLetterTopic(topic)
      ? `${this.prefix}.d.${this.#escaped(topic.slice(DEAD_PREFIX.length))}`
      : `${this.prefix}.t.${to}.${this.#escaped(topic)}`;
  }

  /** What a consumer of a pattern gets. */
  filter(pattern: string): string {
    return isDeadLetterTopic(pattern)
      ? `${this.prefix}.d.${escapeWords(pattern.slice(DEAD_PREFIX.length), true)}`
      : `${this.prefix}.t.*.${escapeWords(pattern, true)}`;
  }

  /** The standing queue of a dead-letter topic. */
  standing(topic: string): string {
    return `${this.prefix}.s.${escapeWords(topic.slice(DEAD_PREFIX.length), false)}`;
  }

  /** Core NATS: what is published to a topic, and what a subscription to a pattern gets. */
  core(pattern: string, wildcards: boolean): string {
    const escaped = (words: string): string => (wildcards ? escapeWords(words, true) : this.#escaped(words));
    return isDeadLetterTopic(pattern)
      ? `${this.prefix}.core.d.${escaped(pattern.slice(DEAD_PREFIX.length))}`
      : `${this.prefix}.core.t.${escaped(pattern)}`;
  }

  /** Topic, and for whom the message is, of a subject; `undefined` for a subject of another kind. */
  parse(subject: string): { readonly topic: string; readonly to: string } | undefined {
    const kindAt = this.prefix.length + 1;
    const rest = subject.slice(kindAt + 2);
    switch (subject.slice(kindAt, kindAt + 2)) {
      case "t.": {
        const dot = rest.indexOf(".");
        return { to: rest.slice(0, dot), topic: this.#unescaped(rest.slice(dot + 1)) };
      }
      case "d.":
      case "s.":
        return { to: EVERYBODY, topic: DEAD_PREFIX + this.#unescaped(rest) };
      default:
        return undefined;
    }
  }

  /** The topic of a subject of core NATS. */
  parseCore(subject: string): string {
    const kindAt = this.prefix.length + ".core.".length;
    return (subject[kindAt] === "d" ? DEAD_PREFIX : "") + this.#unescaped(subject.slice(kindAt + "t.".length));
  }

  /** Whether a subject is one of this prefix, which a stream of it holds. */
  owns(subject: string): boolean {
    return subject.startsWith(`${this.prefix}.`);
  }

  /** What is remembered under a name for a consumer. */
  memory(consumer: string, name: string): string {
    return `${this.prefix}.a.${consumer}.${name}`;
  }

  /** Where processes are asked for the members that they have. */
  get census(): string {
    return `${this.prefix}.who`;
  }
}

/** The consumer of a queue, and its group on core NATS: the name for people, then a hash of pattern and name. */
export function queueName(pattern: string, queue: string): string {
  return named("queue", queue, JSON.stringify([pattern, queue]));
}

/** The consumer of a broadcast subscription. */
export function broadcastName(subscriptionId: string): string {
  return `broadcast-${subscriptionId}`;
}

/** The consumer that the readers of a dead-letter topic share. */
export function readerName(topic: string): string {
  return named("dead", topic, topic);
}

function named(kind: string, label: string, identity: string): string {
  const hash = createHash("sha256").update(identity).digest("hex").slice(0, 20);
  const readable = label.replace(/[^A-Za-z0-9_-]+/g, "-").slice(0, 40);
  return `${kind}-${readable}-${hash}`;
}

function percent(character: string): string {
  return [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}
