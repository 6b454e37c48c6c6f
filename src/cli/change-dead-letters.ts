import type { Broker } from "../broker.ts";
import type { DeadLetter } from "../driver.ts";
import { BrokerError } from "../errors.ts";
import { colorsFor } from "./colors.ts";
import { DEAD_LETTER_COLUMNS, deadLetterRow } from "./dead-letter-text.ts";
import { jsonLine, visible } from "./escape.ts";
import { findDeadLetters } from "./find-dead-letters.ts";
import { LineWriter } from "./line-writer.ts";
import { Progress } from "./progress.ts";
import type { Terminal } from "./terminal.ts";
import { textTable, widthOf } from "./text-table.ts";

/** What is to be done, and with which dead letters. */
export interface DeadLetterChange {
  readonly verb: "redrive" | "drop";
  /** The dead-letter topic. */
  readonly topic: string;
  /** Only the dead letters of these messages; none: all. */
  readonly ids: readonly string[];
}

const DONE = { redrive: "redriven", drop: "dropped" } as const;

const WHY_LEFT = {
  redrive: "the queue or subscription that failed is gone, a reader holds them, or they failed again",
  drop: "a reader holds them, or they came meanwhile",
} as const;

/**
 * Redrives or drops dead letters, with progress on a terminal, and prints how many went and how many are left.
 * @throws BrokerError `ERR_NOT_FOUND` where an id does not exist, or nothing of what there is could be changed;
 * `ERR_UNDELIVERED` when it was interrupted
 */
export async function changeDeadLetters(
  broker: Broker,
  change: DeadLetterChange,
  { json = false, dryRun = false }: { readonly json?: boolean; readonly dryRun?: boolean },
  terminal: Terminal,
  stop: AbortSignal,
): Promise<void> {
  const { topic, ids, verb } = change;
  if (dryRun) return rehearse(broker, change, json, terminal);
  const total = ids.length > 0 ? (await findDeadLetters(broker, topic, ids)).length : await totalOf(broker, topic);
  const output = new LineWriter(terminal.stdout);
  const { count, interrupted } = await carryOut(broker, change, total, terminal, stop);
  if (interrupted) {
    const text = `Interrupted: ${count} dead letter(s) of ${topic} are known to be ${DONE[verb]}; what was asked of others may be done as well, and the rest stays.`;
    throw new BrokerError("ERR_UNDELIVERED", text, { topic });
  }
  const staying = await broker.deadLetters.list(topic);
  const left = staying.length;
  const asked = staying.filter(({ id }) => ids.length === 0 || ids.includes(id)).length;
  if (count === 0 && asked > 0) {
    const text = `None of ${asked} dead letter(s) in ${topic} could be ${DONE[verb]}: ${WHY_LEFT[verb]}.`;
    throw new BrokerError("ERR_NOT_FOUND", text, { topic, count: asked });
  }
  await output.write(
    json
      ? jsonLine({ topic, [DONE[verb]]: count, left, dryRun: false })
      : `${visible(topic)}: ${count} dead letter(s) ${DONE[verb]}, ${left} left`,
  );
  if (asked > 0)
    terminal.stderr.write(`warning: ${asked} dead letter(s) could not be ${DONE[verb]}: ${WHY_LEFT[verb]}\n`);
}

async function rehearse(broker: Broker, change: DeadLetterChange, json: boolean, terminal: Terminal): Promise<void> {
  const { topic, ids, verb } = change;
  const letters = await findDeadLetters(broker, topic, ids);
  const output = new LineWriter(terminal.stdout);
  const lost = verb === "redrive" ? await withoutQueue(broker, letters) : [];
  if (lost.length > 0) {
    const names = lost.map(({ id, queue = "" }) => `${visible(id)} (${visible(queue)})`).join(", ");
    terminal.stderr.write(
      `warning: the queue of ${lost.length} of them is not there, so that they may stay: ${names}\n`,
    );
  }
  if (json) {
    const left = (await broker.deadLetters.list(topic)).length;
    const facts = letters.map(({ id, queue = null }) => ({ id, queue }));
    return output.write(jsonLine({ topic, [DONE[verb]]: 0, left, dryRun: true, would: facts }));
  }
  const { dim } = colorsFor(terminal.stdout, terminal.env);
  if (letters.length > 0) {
    const rows = letters.map(deadLetterRow);
    await output.write(textTable(DEAD_LETTER_COLUMNS, rows, widthOf(terminal.stdout), dim));
  }
  await output.write(`${visible(topic)}: ${letters.length} dead letter(s) would be ${DONE[verb]}`);
}

/** Those that failed in a queue which the broker does not list. */
async function withoutQueue(broker: Broker, letters: readonly DeadLetter[]): Promise<DeadLetter[]> {
  const queues = new Set((await broker.queues.list()).map(({ queue }) => queue));
  return letters.filter(({ queue }) => queue !== undefined && !queues.has(queue));
}

async function carryOut(
  broker: Broker,
  { verb, topic, ids }: DeadLetterChange,
  total: number | undefined,
  { stderr }: Terminal,
  stop: AbortSignal,
): Promise<{ readonly count: number; readonly interrupted: boolean }> {
  const progress = new Progress(
    stderr,
    (count) => `${DONE[verb]} ${count}${total === undefined ? "" : ` of ${total}`}`,
  );
  let count = 0;
  try {
    progress.update(0);
    const onProgress = (done: number) => {
      count = done;
      progress.update(count);
    };
    const options = { ...(ids.length === 0 ? {} : { id: ids }), signal: stop, onProgress };
    count = await broker.deadLetters[verb](topic, options);
    return { count, interrupted: false };
  } catch (error) {
    if (!(stop.aborted && error === stop.reason)) throw error;
    return { count, interrupted: true };
  } finally {
    progress.clear();
  }
}

/** How many dead letters a topic has; `undefined` where the broker can tell only by reading them all. */
async function totalOf(broker: Broker, topic: string): Promise<number | undefined> {
  try {
    const topics = await broker.deadLetters.topics();
    return topics.find((one) => one.topic === topic)?.messages ?? 0;
  } catch (error) {
    if (error instanceof BrokerError && error.code === "ERR_UNSUPPORTED") return undefined;
    throw error;
  }
}
