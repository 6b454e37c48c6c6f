import type { Ledger, Message, Receipt } from "./ledger.ts";
import { isPromised, type Terms } from "./terms.ts";

/** What became of the messages of one kind of receivers. */
export interface Tally {
  /** Messages that were to come, acknowledged or not. */
  readonly sent: number;
  /** Of these, those whose publish resolved. */
  readonly acknowledged: number;
  /** Of these, those that had to come. */
  readonly promised: number;
  /** Messages that came, each counted once. */
  readonly received: number;
  /** Acknowledged, and never received. */
  readonly lost: number;
  /** The messages that were lost though they were promised, each with who misses it. */
  readonly broken: readonly Missing[];
  /** Receipts beyond a message's first. */
  readonly duplicated: number;
  /** First attempts that came to a receiver after a later message of the same publisher. */
  readonly reordered: number;
}

/** A message that did not come. */
export interface Missing {
  readonly message: Message;
  /** The queue, or the process without a queue, that misses it. */
  readonly at: string;
}

/** What became of everything. */
export interface Audit {
  readonly queues: Tally;
  readonly broadcast: Tally;
  /** Receipts in the subscription of another queue, or under another topic, than the message was for. */
  readonly wrongQueue: readonly string[];
  /** Receipts of what nobody sent, or under an id of another message. */
  readonly foreign: readonly string[];
}

/** Who receives, beside the journals. */
export interface Audience {
  /** How many queues have members; 0 without members. */
  readonly queues: number;
  /** The processes that subscribe without a queue. */
  readonly broadcast: readonly string[];
}

/**
 * Compares what was published with what came. A queue is owed every promised message of its topic. A process without a queue
 * is owed, in its last life, what was published after it had subscribed; earlier lives ended with a kill, and their
 * subscriptions with them.
 */
export function audit(ledger: Ledger, audience: Audience, terms: Terms): Audit {
  const [wrongQueue, foreign] = [[] as string[], [] as string[]];
  const right: Receipt[] = [];
  for (const receipt of ledger.receipts) {
    const { record, receiver } = receipt;
    const message = ledger.messages.get(record.text);
    const where = record.queue === null ? receiver : `${receiver} in queue ${record.queue}`;
    if (message === undefined || record.id !== record.text) {
      foreign.push(`${JSON.stringify(record.text)} with the id ${JSON.stringify(record.id)} at ${where}`);
    } else if ((record.queue ?? message.queue) !== message.queue || record.topic !== message.queue) {
      const topic = record.topic === message.queue ? "" : ` under the topic of ${describeTopic(record.topic)}`;
      wrongQueue.push(`${record.text} of queue ${message.queue} at ${where}${topic}`);
    } else right.push(receipt);
  }
  right.sort((one, other) => one.record.atMs - other.record.atMs);
  const messages = [...ledger.messages.values()];
  const promised = (message: Message): boolean =>
    isPromised(terms, message.life < ledger.livesOf(message.publisher).length - 1);

  const queues = Array.from({ length: audience.queues }, (_, queue) =>
    tally(
      `queue ${queue}`,
      messages.filter((message) => message.queue === queue),
      right.filter(({ record }) => record.queue === queue),
      promised,
    ),
  );
  const broadcast = audience.broadcast.map((name) => {
    const lives = ledger.livesOf(name);
    const since = lives.at(-1)?.readyAtMs ?? Number.POSITIVE_INFINITY;
    return tally(
      name,
      messages.filter(({ atMs }) => atMs > since),
      right.filter(({ receiver, life }) => receiver === name && life === lives.length - 1),
      promised,
    );
  });
  return { queues: sum(queues), broadcast: sum(broadcast), wrongQueue, foreign };
}

/** Whether everything promised came, and nothing to where it does not belong. */
export function isClean({ queues, broadcast, wrongQueue, foreign }: Audit): boolean {
  return [...queues.broken, ...broadcast.broken, ...wrongQueue, ...foreign].length === 0;
}

function tally(
  at: string,
  messages: readonly Message[],
  receipts: readonly Receipt[],
  promised: (message: Message) => boolean,
): Tally {
  const owed = new Set(messages.map(({ text }) => text));
  const got = new Set<string>();
  const highest = new Map<string, number>();
  let [duplicated, reordered] = [0, 0];
  for (const { receiver, life, record } of receipts) {
    if (!owed.has(record.text)) continue;
    if (got.has(record.text)) {
      duplicated += 1;
      continue;
    }
    got.add(record.text);
    if (record.attempt !== 1) continue;
    const split = record.text.lastIndexOf("#");
    const [publisher, number] = [record.text.slice(0, split), Number(record.text.slice(split + 1))];
    const key = `${publisher} ${receiver} ${life}`;
    const before = highest.get(key) ?? -1;
    if (number < before) reordered += 1;
    else highest.set(key, number);
  }
  const acknowledged = messages.filter(({ state }) => state !== undefined);
  const due = acknowledged.filter(promised);
  return {
    sent: messages.length,
    acknowledged: acknowledged.length,
    promised: due.length,
    received: got.size,
    lost: acknowledged.filter(({ text }) => !got.has(text)).length,
    broken: due.filter(({ text }) => !got.has(text)).map((message) => ({ message, at })),
    duplicated,
    reordered,
  };
}

function sum(tallies: readonly Tally[]): Tally {
  const total = (of: (one: Tally) => number): number => tallies.reduce((all, one) => all + of(one), 0);
  return {
    sent: total(({ sent }) => sent),
    acknowledged: total(({ acknowledged }) => acknowledged),
    promised: total(({ promised }) => promised),
    received: total(({ received }) => received),
    lost: total(({ lost }) => lost),
    broken: tallies.flatMap(({ broken }) => broken),
    duplicated: total(({ duplicated }) => duplicated),
    reordered: total(({ reordered }) => reordered),
  };
}

function describeTopic(topic: number | null): string {
  return topic === null ? "nobody" : `queue ${topic}`;
}
