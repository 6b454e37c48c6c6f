import type { DeadLetter } from "../driver.ts";
import type { Colors } from "./colors.ts";
import { visible } from "./escape.ts";
import { jsonBody, visibleBody } from "./message-line.ts";

/** The columns of a table of dead letters. */
export const DEAD_LETTER_COLUMNS = ["id", "topic", "queue", "attempts", "failed last", "reason"] as const;

/** A dead letter as a row of a table. */
export function deadLetterRow(letter: DeadLetter): string[] {
  const { id, topic, queue, attempts, lastAt, reason } = letter;
  return [id, topic, queue ?? "(broadcast)", String(attempts), time(lastAt), reason].map(visible);
}

/** A dead letter as an object that becomes JSON; `queue` is `null` for a broadcast subscription. */
export function deadLetterFacts(letter: DeadLetter): object {
  const { id, topic, queue = null, reason, attempts, firstAt, lastAt, header, body } = letter;
  return {
    id,
    topic,
    queue,
    reason,
    attempts,
    firstAt: time(firstAt),
    lastAt: time(lastAt),
    header,
    ...jsonBody(body),
  };
}

/** All of a dead letter, a line for each part of it. */
export function deadLetterPage(letter: DeadLetter, colors: Colors): string {
  const { id, topic, queue, reason, attempts, firstAt, lastAt, header, body } = letter;
  const lines: [string, string][] = [
    ["id", visible(id)],
    ["topic", visible(topic)],
    ["queue", queue === undefined ? "(broadcast)" : visible(queue)],
    ["reason", visible(reason)],
    ["attempts", String(attempts)],
    ["failed first", time(firstAt)],
    ["failed last", time(lastAt)],
    ...Object.entries(header).map(([name, value]): [string, string] => [
      "header",
      `${visible(name)}=${visible(value)}`,
    ]),
    ["body", visibleBody(body, colors)],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, text]) => `${colors.dim(name.padEnd(width))}  ${text}`).join("\n");
}

/** ISO 8601; a time that a broken header gave is shown as unknown. */
function time(at: Date): string {
  return Number.isNaN(at.getTime()) ? "unknown" : at.toISOString();
}
