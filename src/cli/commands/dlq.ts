import type { Command } from "commander";
import type { GivenFlags } from "../../service/settings/parse-flags.ts";
import { checkTopic, deadLetterTopic } from "../../topics.ts";
import { changeDeadLetters } from "../change-dead-letters.ts";
import { colorsFor } from "../colors.ts";
import { DEAD_LETTER_COLUMNS, deadLetterFacts, deadLetterPage, deadLetterRow } from "../dead-letter-text.ts";
import { jsonLine, visible } from "../escape.ts";
import { findDeadLetters } from "../find-dead-letters.ts";
import { LineWriter } from "../line-writer.ts";
import { addSharedOptions } from "../shared-options.ts";
import type { Terminal } from "../terminal.ts";
import { textTable, widthOf } from "../text-table.ts";
import { withConnection } from "../with-connection.ts";

interface DlqFlags extends GivenFlags {
  readonly id?: readonly string[];
  readonly json?: boolean;
  readonly dryRun?: boolean;
}

const TOPIC = "the topic on which messages failed, or its dlq. topic";

const EXAMPLES = `
Examples:
  tidings dlq ls                                   the topics that have dead letters, and how many
  tidings dlq ls orders.created                    why each of them failed, how often and where
  tidings dlq show orders.created                  all of them with headers and body
  tidings dlq redrive orders.created --dry-run     what would go back, and to which queue
  tidings dlq redrive orders.created               all of them back to the queues that failed
  tidings dlq drop orders.created --id 0198-…      one of them away for good`;

/** Adds `tidings dlq`: lists, shows, redrives and drops dead letters. */
export function addDlq(program: Command, terminal: Terminal): void {
  const group = program
    .command("dlq")
    .description("List, show, redrive and drop dead letters.")
    .addHelpText("after", EXAMPLES);
  const list = group
    .command("ls")
    .description("List the topics that have dead letters, or the dead letters of one, oldest first.")
    .argument("[topic]", TOPIC)
    .option("--json", "print one line of JSON")
    .action((topic: string | undefined, flags: DlqFlags) =>
      topic === undefined ? listTopics(flags, terminal) : listLetters(topic, flags, terminal),
    );
  const show = group
    .command("show")
    .description("Show dead letters with their headers and bodies.")
    .argument("<topic>", TOPIC)
    .argument("[id...]", "only these")
    .option("--id <id>", "only this one; may be given several times", collect)
    .option("--json", "print a line of JSON for each")
    .action((topic: string, ids: string[], flags: DlqFlags) =>
      showLetters(topic, [...ids, ...(flags.id ?? [])], flags, terminal),
    );
  const redrive = group
    .command("redrive")
    .description(
      "Send dead letters back to the queue that failed, with the same id, from attempt 1. Each is removed once it is confirmed there.",
    );
  const drop = group.command("drop").description("Remove dead letters for good.");
  for (const command of [redrive, drop]) {
    const verb = command === redrive ? "redrive" : "drop";
    command
      .argument("<topic>", TOPIC)
      .argument("[id...]", "only these (default: all of the topic)")
      .option("--id <id>", "only this one; may be given several times", collect)
      .option("--dry-run", "show what would be done")
      .option("--json", "print one line of JSON")
      .action(async (topic: string, ids: string[], flags: DlqFlags) => {
        checkTopic(topic);
        const choice = {
          verb,
          topic: deadLetterTopic(topic),
          ids: [...new Set([...ids, ...(flags.id ?? [])])],
        } as const;
        await withConnection(flags, terminal, (broker, stop) =>
          changeDeadLetters(broker, choice, flags, terminal, stop),
        );
      });
  }
  for (const command of [list, show, redrive, drop]) addSharedOptions(command);
}

async function listTopics({ json, ...flags }: DlqFlags, terminal: Terminal): Promise<void> {
  const output = new LineWriter(terminal.stdout);
  await withConnection(flags, terminal, async (broker) => {
    const topics = await broker.deadLetters.topics();
    if (json === true) return output.write(jsonLine(topics.map(({ topic, messages }) => ({ topic, messages }))));
    if (topics.length === 0) return output.write(`There are no dead letters on the ${broker.name} broker.`);
    const rows = topics.map(({ topic, messages }) => [visible(topic), String(messages)]);
    await output.write(table(["topic", "dead letters"], rows, terminal));
  });
}

async function listLetters(topic: string, { json, ...flags }: DlqFlags, terminal: Terminal): Promise<void> {
  checkTopic(topic);
  const output = new LineWriter(terminal.stdout);
  await withConnection(flags, terminal, async (broker) => {
    const letters = await broker.deadLetters.list(topic);
    if (json === true) return output.write(jsonLine(letters.map(deadLetterFacts)));
    if (letters.length === 0) return output.write(`No dead letters in ${visible(deadLetterTopic(topic))}.`);
    await output.write(table(DEAD_LETTER_COLUMNS, letters.map(deadLetterRow), terminal));
  });
}

async function showLetters(topic: string, ids: readonly string[], flags: DlqFlags, terminal: Terminal): Promise<void> {
  checkTopic(topic);
  const output = new LineWriter(terminal.stdout);
  const colors = colorsFor(terminal.stdout, terminal.env);
  await withConnection(flags, terminal, async (broker) => {
    const letters = await findDeadLetters(broker, deadLetterTopic(topic), ids);
    for (const [index, letter] of letters.entries()) {
      if (flags.json === true) await output.write(jsonLine(deadLetterFacts(letter)));
      else await output.write(`${index === 0 ? "" : "\n"}${deadLetterPage(letter, colors)}`);
    }
    if (letters.length === 0 && flags.json !== true)
      await output.write(`No dead letters in ${visible(deadLetterTopic(topic))}.`);
  });
}

function table(headings: readonly string[], rows: readonly (readonly string[])[], { stdout, env }: Terminal): string {
  return textTable(headings, rows, widthOf(stdout), colorsFor(stdout, env).dim);
}

function collect(id: string, earlier: readonly string[] = []): string[] {
  return [...earlier, id];
}
