import { createHash } from "node:crypto";
import { BrokerError } from "../../errors.ts";
import { isDeadLetterTopic } from "../../topics.ts";

/** The longest routing key and queue name that AMQP carries, in bytes. */
const MAX_BYTES = 255;

/** A word that RabbitMQ would take for its wildcard, or that looks like one already escaped. */
const RESERVED_WORD = /^%*#$/;

/**
 * The routing key of a concrete topic, one-to-one: the topic itself, where a word `#`, RabbitMQ's wildcard, becomes `%#`,
 * `%#` becomes `%%#`, and so on.
 * @throws BrokerError `ERR_INVALID_TOPIC` when the escaped form is longer than 255 bytes
 */
export function routingKey(topic: string): string {
  return topic.includes("#") ? checked(topic, topic.split(".").map(escapeWord).join(".")) : topic;
}

/** The topic of a routing key. */
export function topicOfRoutingKey(key: string): string {
  return key.includes("#") ? key.split(".").map(unescapeWord).join(".") : key;
}

/**
 * The binding key of a pattern: `*` is one word on RabbitMQ too, and `>` is `*.#`, one word and any number of further ones.
 * @throws BrokerError `ERR_INVALID_TOPIC`
 */
export function bindingKey(pattern: string): string {
  const key = pattern.includes("#") ? pattern.split(".").map(escapeWord).join(".") : pattern;
  return checked(pattern, key === ">" || key.endsWith(".>") ? `${key.slice(0, -1)}*.#` : key);
}

/** The names of everything that the driver makes on a server. All begin with the prefix. */
export class Names {
  /** Messages, by routing key. */
  readonly messages: string;
  /** Messages of topics under `dlq.`, which no other pattern may match. */
  readonly deadLetters: string;
  /** To the queues of the ladder, by the header `tidings-delay`. */
  readonly delay: string;
  /** From the ladder back to the queue that the routing key names. */
  readonly back: string;
  /** Takes what comes back from the ladder for a queue that is gone, and drops it. */
  readonly gone: string;
  /** Asks every process what it holds. */
  readonly inquiry: string;
  /** An empty queue that every process consumes from which answers: its consumers are counted. */
  readonly listeners: string;
  /** The stream in which queues are recorded. */
  readonly records: string;
  /** The stream in which processes say what they gave back unstarted. */
  readonly excuses: string;
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.messages = prefix;
    this.deadLetters = `${prefix}.dlq`;
    this.delay = `${prefix}.delay`;
    this.back = `${prefix}.back`;
    this.gone = `${prefix}.gone`;
    this.inquiry = `${prefix}.inquiry`;
    this.listeners = `${prefix}.listeners`;
    this.records = `${prefix}.records`;
    this.excuses = `${prefix}.excuses`;
  }

  /** The exchange that carries a topic, or what a pattern matches. */
  exchangeOf(topicOrPattern: string): string {
    return isDeadLetterTopic(topicOrPattern) ? this.deadLetters : this.messages;
  }

  /** The queue that members share: readable where it fits, hashed where it does not. */
  queue(pattern: string, queue: string): string {
    return this.#named("queue", `${escapeName(pattern)}:${escapeName(queue)}`, `${pattern}\n${queue}`);
  }

  /** The queue of a broadcast subscription. */
  broadcast(subscriptionId: string): string {
    return `${this.#prefix}.broadcast:${subscriptionId}`;
  }

  /** The standing queue of a dead-letter topic. */
  standing(topic: string): string {
    return this.#named("dead-letters", escapeName(topic), topic);
  }

  /** The queue of the ladder with this delay. */
  ladder(delayMs: number): string {
    return `${this.#prefix}.delay:${delayMs}`;
  }

  /** What only one connection can hold: the right to make or administer a queue. */
  lock(queue: string): string {
    return `${this.#prefix}.lock#${hash(queue)}`;
  }

  #named(kind: string, readable: string, whole: string): string {
    const name = `${this.#prefix}.${kind}:${readable}`;
    return Buffer.byteLength(name) <= MAX_BYTES ? name : `${this.#prefix}.${kind}#${hash(whole)}`;
  }
}

function escapeWord(word: string): string {
  return RESERVED_WORD.test(word) ? `%${word}` : word;
}

function unescapeWord(word: string): string {
  return word.startsWith("%") && RESERVED_WORD.test(word) ? word.slice(1) : word;
}

function checked(topic: string, key: string): string {
  if (Buffer.byteLength(key) <= MAX_BYTES) return key;
  throw new BrokerError(
    "ERR_INVALID_TOPIC",
    `The topic ${JSON.stringify(topic.slice(0, 80))}… is longer than RabbitMQ's ${MAX_BYTES} bytes once its words # are escaped.`,
    { driver: "rabbitmq", topic },
  );
}

function escapeName(text: string): string {
  return text.replace(/[%:]/g, (character) => (character === "%" ? "%25" : "%3A"));
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
