import { BrokerError } from "./errors.ts";

/** The longest topic or pattern, in bytes of UTF-8; a `dlq.` in front is not counted. */
export const MAX_TOPIC_BYTES = 200;

/** The longest queue name, in bytes of UTF-8. */
const MAX_QUEUE_BYTES = 200;

/** Dead letters of topic `t` go to `dlq.t`. Only patterns that begin with this prefix match such topics. */
const DEAD_LETTER_PREFIX = "dlq.";

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f]/;

/** Whether a topic or pattern lies under `dlq.`. */
export function isDeadLetterTopic(topic: string): boolean {
  return topic.startsWith(DEAD_LETTER_PREFIX);
}

/** The dead-letter topic of a topic; a dead-letter topic is its own. */
export function deadLetterTopic(topic: string): string {
  return isDeadLetterTopic(topic) ? topic : DEAD_LETTER_PREFIX + topic;
}

/** Whether a valid pattern has a wildcard: `*` for one word, `>` at the end for one or more words. */
export function isPattern(pattern: string): boolean {
  return (
    pattern === "*" ||
    pattern === ">" ||
    pattern.startsWith("*.") ||
    pattern.endsWith(".*") ||
    pattern.endsWith(".>") ||
    pattern.includes(".*.")
  );
}

/** Whether a value is a concrete topic, as `checkTopic` checks it. */
export function isTopic(value: unknown): value is string {
  return typeof value === "string" && wordsProblem(value) === undefined && !isPattern(value);
}

/**
 * Checks a concrete topic: words of any characters but control characters, joined by dots, without wildcards.
 * @throws BrokerError `ERR_INVALID_TOPIC`
 */
export function checkTopic(topic: unknown): asserts topic is string {
  checkWords(topic, "topic");
  if (isPattern(topic))
    throw invalid(topic, "a message is published to one topic, so the wildcards * and > are not allowed as words");
}

/**
 * Checks a pattern: a topic in which a word may be `*`, and the last word `>`.
 * @throws BrokerError `ERR_INVALID_TOPIC`
 */
export function checkPattern(pattern: unknown): asserts pattern is string {
  checkWords(pattern, "pattern");
  const tail = pattern.split(".").indexOf(">");
  if (tail !== -1 && tail !== pattern.split(".").length - 1)
    throw invalid(pattern, "the wildcard > is only allowed as the last word");
}

/**
 * Checks a queue name: any characters but control characters.
 * @throws BrokerError `ERR_INVALID_TOPIC`
 */
export function checkQueue(queue: unknown): asserts queue is string {
  if (typeof queue !== "string")
    throw new BrokerError("ERR_INVALID_TOPIC", `A queue name is a string, not ${typeof queue}.`);
  const problem = textProblem(queue, MAX_QUEUE_BYTES);
  if (problem !== undefined)
    throw new BrokerError("ERR_INVALID_TOPIC", `The queue name ${show(queue)} is not valid: ${problem}.`);
}

/** Whether a valid pattern matches a valid topic. The reference for every driver. */
export function matchesTopic(pattern: string, topic: string): boolean {
  if (pattern === topic) return true;
  if (isDeadLetterTopic(topic) && !isDeadLetterTopic(pattern)) return false;
  const want = pattern.split(".");
  const have = topic.split(".");
  for (const [index, word] of want.entries()) {
    if (word === ">" && index === want.length - 1) return have.length > index;
    if (index >= have.length || (word !== "*" && word !== have[index])) return false;
  }
  return want.length === have.length;
}

function checkWords(topic: unknown, what: "topic" | "pattern"): asserts topic is string {
  if (typeof topic !== "string")
    throw new BrokerError("ERR_INVALID_TOPIC", `A ${what} is a string, not ${typeof topic}.`);
  const problem = wordsProblem(topic);
  if (problem !== undefined) throw invalid(topic, problem);
}

function wordsProblem(topic: string): string | undefined {
  const counted = isDeadLetterTopic(topic) ? topic.slice(DEAD_LETTER_PREFIX.length) : topic;
  const problem = textProblem(counted, MAX_TOPIC_BYTES);
  if (problem !== undefined) return problem;
  return counted.startsWith(".") || counted.endsWith(".") || counted.includes("..")
    ? "it has an empty word"
    : undefined;
}

function textProblem(text: string, maxBytes: number): string | undefined {
  if (text === "") return "it is empty";
  if (CONTROL.test(text)) return "it has a control character";
  if (!text.isWellFormed()) return "it is not well-formed Unicode";
  if (Buffer.byteLength(text) > maxBytes) return `it is longer than ${maxBytes} bytes`;
  return undefined;
}

function invalid(topic: string, problem: string): BrokerError {
  return new BrokerError("ERR_INVALID_TOPIC", `The topic ${show(topic)} is not valid: ${problem}.`, { topic });
}

function show(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
