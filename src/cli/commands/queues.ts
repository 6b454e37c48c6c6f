import type { Command } from "commander";
import type { Broker } from "../../broker.ts";
import type { QueueInfo } from "../../driver.ts";
import { BrokerError } from "../../errors.ts";
import type { GivenFlags } from "../../service/settings/parse-flags.ts";
import { checkPattern, checkQueue } from "../../topics.ts";
import { colorsFor } from "../colors.ts";
import { jsonLine, visible } from "../escape.ts";
import { LineWriter } from "../line-writer.ts";
import { compare } from "../registry-view.ts";
import { addSharedOptions } from "../shared-options.ts";
import type { Terminal } from "../terminal.ts";
import { textTable, widthOf } from "../text-table.ts";
import { withConnection } from "../with-connection.ts";

interface QueuesFlags extends GivenFlags {
  readonly json?: boolean;
  readonly dryRun?: boolean;
}

const EXAMPLES = `
Examples:
  tidings queues ls                                what every queue holds, and how many members it has
  tidings queues create orders.created billing     ahead of its first member: it gets what is published from now on
  tidings queues rm orders.created billing         with the messages that it holds`;

/** Adds `tidings queues`: lists, creates and removes queues. */
export function addQueues(program: Command, terminal: Terminal): void {
  const group = program.command("queues").description("List, create and remove queues.").addHelpText("after", EXAMPLES);
  const list = group
    .command("ls")
    .description("List every queue that the broker knows: members, and messages waiting, delayed and in work.")
    .argument("[topic]", "only queues of this topic or pattern")
    .option("--json", "print one line of JSON")
    .action((topic: string | undefined, flags: QueuesFlags) => listQueues(topic, flags, terminal));
  const create = group
    .command("create")
    .description("Create a queue ahead of its first member. One that exists stays as it is.")
    .argument("<topic>", "a topic, or a pattern: * is one word, > the rest")
    .argument("<queue>", "the queue's name")
    .option("--dry-run", "say what would be done")
    .option("--json", "print one line of JSON")
    .action((topic: string, queue: string, flags: QueuesFlags) => createQueue(topic, queue, flags, terminal));
  const remove = group
    .command("rm")
    .description("Remove a queue with the messages that it holds. One with members begins anew, empty.")
    .argument("<topic>", "its topic or pattern, as `queues ls` shows it")
    .argument("<queue>", "the queue's name")
    .option("--dry-run", "say what would be done")
    .option("--json", "print one line of JSON")
    .action((topic: string, queue: string, flags: QueuesFlags) => removeQueue(topic, queue, flags, terminal));
  for (const command of [list, create, remove]) addSharedOptions(command);
}

async function listQueues(topic: string | undefined, flags: QueuesFlags, terminal: Terminal): Promise<void> {
  if (topic !== undefined) checkPattern(topic);
  const output = new LineWriter(terminal.stdout);
  await withConnection(flags, terminal, async (broker) => {
    const all = await broker.queues.list();
    const queues = all.filter((queue) => topic === undefined || queue.topic === topic).sort(byName);
    if (flags.json === true) return output.write(jsonLine(queues.map(shown)));
    if (queues.length === 0) {
      const what = topic === undefined ? "knows no queues" : `knows no queues of ${visible(topic)}`;
      return output.write(`The ${broker.name} broker ${what}.`);
    }
    await output.write(
      textTable(
        ["topic", "queue", "members", "messages"],
        queues.map((one) => [visible(one.topic), visible(one.queue), String(one.members), String(one.messages)]),
        widthOf(terminal.stdout),
        colorsFor(terminal.stdout, terminal.env).dim,
      ),
    );
  });
}

async function createQueue(topic: string, queue: string, flags: QueuesFlags, terminal: Terminal): Promise<void> {
  check(topic, queue);
  await withConnection(flags, terminal, async (broker) => {
    const exists = (await find(broker, topic, queue)) !== undefined;
    if (flags.dryRun !== true && !exists) {
      await broker.createQueue(topic, queue);
      if (!broker.capabilities.processes)
        terminal.stderr.write(`warning: the ${broker.name} broker ends with this process, and the queue with it\n`);
    }
    const done = exists ? "exists already" : flags.dryRun === true ? "would be created" : "created";
    const facts = { topic, queue, created: !exists && flags.dryRun !== true, dryRun: flags.dryRun === true };
    await tell(flags, terminal, facts, `The queue ${visible(queue)} of ${visible(topic)}: ${done}.`);
  });
}

async function removeQueue(topic: string, queue: string, flags: QueuesFlags, terminal: Terminal): Promise<void> {
  check(topic, queue);
  await withConnection(flags, terminal, async (broker) => {
    const found = await find(broker, topic, queue);
    const removed = flags.dryRun === true ? false : await broker.queues.remove(topic, queue);
    if (found === undefined && !removed) {
      const message = `The ${broker.name} broker knows no queue ${JSON.stringify(queue)} of ${topic}.`;
      throw new BrokerError("ERR_NOT_FOUND", message, { topic });
    }
    const { messages = 0, members = 0 } = found ?? {};
    const anew = members > 0 ? `; its ${members} member(s) go on with an empty one` : "";
    const done = flags.dryRun === true ? "would be removed" : "removed";
    const facts = { topic, queue, removed, dryRun: flags.dryRun === true, messages, members };
    const text = `The queue ${visible(queue)} of ${visible(topic)}: ${done}, with ${messages} message(s)${anew}.`;
    await tell(flags, terminal, facts, text);
  });
}

function check(topic: string, queue: string): void {
  checkPattern(topic);
  checkQueue(queue);
}

async function find(broker: Broker, topic: string, queue: string): Promise<QueueInfo | undefined> {
  return (await broker.queues.list()).find((info) => info.topic === topic && info.queue === queue);
}

async function tell({ json }: QueuesFlags, { stdout }: Terminal, facts: object, text: string): Promise<void> {
  await new LineWriter(stdout).write(json === true ? jsonLine(facts) : text);
}

/** The promised fields, and those only. */
function shown({ topic, queue, members, messages }: QueueInfo): object {
  return { topic, queue, members, messages };
}

function byName(left: QueueInfo, right: QueueInfo): number {
  return compare(left.topic, right.topic) || compare(left.queue, right.queue);
}
