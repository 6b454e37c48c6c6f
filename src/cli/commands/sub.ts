import type { Command } from "commander";
import type { Broker } from "../../broker.ts";
import type { SubscribeOptions } from "../../broker-options.ts";
import type { Delivery } from "../../delivery.ts";
import type { BrokerError } from "../../errors.ts";
import type { GivenFlags } from "../../service/settings/parse-flags.ts";
import { resolveBrokerSettings } from "../../service/settings/resolve-settings.ts";
import { checkPattern, checkQueue } from "../../topics.ts";
import { colorsFor } from "../colors.ts";
import { visible } from "../escape.ts";
import { LineWriter } from "../line-writer.ts";
import { messageJson, messageText } from "../message-line.ts";
import { openBroker, withBroker } from "../open-broker.ts";
import { wholeNumber } from "../parse-flags.ts";
import { terminalLogger, terminalOnError } from "../report-error.ts";
import { addSharedOptions } from "../shared-options.ts";
import { Taker } from "../taker.ts";
import type { Terminal } from "../terminal.ts";

interface SubFlags extends GivenFlags {
  readonly queue?: string;
  readonly count?: number;
  readonly concurrency?: number;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  tidings sub orders.created                    every message, until Ctrl-C
  tidings sub orders.created --queue billing    share the messages with other members of the queue
  tidings sub 'orders.>' --json                 every topic under orders, one line of JSON per message
  tidings sub orders.created --count 1          take one message, acknowledge it and end`;

/** Adds `tidings sub`: prints messages until it is stopped. */
export function addSub(program: Command, terminal: Terminal): void {
  const command = program
    .command("sub")
    .description("Subscribe to a topic or pattern and print one line per message.")
    .argument("<topic>", "a topic, or a pattern: * is one word, > the rest")
    .option("-q, --queue <name>", "share the messages with the other members of this queue")
    .option(
      "-n, --count <n>",
      "take, print and acknowledge exactly this many messages, then end",
      wholeNumber("--count"),
    )
    .option("--concurrency <n>", "messages taken at once (default: 16)", wholeNumber("--concurrency"))
    .option("--json", "print a line of JSON per message")
    .addHelpText("after", EXAMPLES)
    .action((topic: string, flags: SubFlags) => subscribe(topic, flags, terminal));
  addSharedOptions(command);
}

async function subscribe(topic: string, flags: SubFlags, terminal: Terminal): Promise<void> {
  checkPattern(topic);
  if (flags.queue !== undefined) checkQueue(flags.queue);
  const settings = resolveBrokerSettings(flags, terminal.env);
  const output = new LineWriter(terminal.stdout);
  const colors = colorsFor(terminal.stdout, terminal.env);
  const toLine = (delivery: Delivery) => (flags.json === true ? messageJson(delivery) : messageText(delivery, colors));
  const taker = new Taker(flags.count, (delivery) => output.write(toLine(delivery)), slotsOf(flags));
  const stop = terminal.stopSignal();
  stop.addEventListener("abort", () => taker.end(), { once: true });

  const warn = terminalOnError(terminal);
  const broker = openBroker(settings, {
    logger: terminalLogger(terminal),
    onError: (error) => {
      if (endsSubscription(error, broker)) taker.fail(error);
      else warn(error);
    },
  });
  await withBroker(broker, terminal, async () => {
    // A subscription within one process has nothing else that keeps the process alive.
    const keepAlive = setInterval(() => {}, 2 ** 30);
    try {
      await broker.connect({ signal: stop });
      const subscriber = await broker.subscribe(topic, taker.take, subscribeOptions(flags, stop));
      terminal.stderr.write(`${visible(subscribed(topic, flags.queue, broker))}\n`);
      await taker.ended(() => subscriber.unsubscribe());
    } catch (error) {
      if (!(stop.aborted && error === stop.reason)) throw error;
    } finally {
      clearInterval(keepAlive);
    }
  });
}

/** No more is fetched than is asked for: what lies in this process cannot go to another member of the queue. */
function subscribeOptions(flags: SubFlags, signal: AbortSignal): SubscribeOptions {
  const { queue } = flags;
  const atOnce = slotsOf(flags);
  return { concurrency: atOnce, prefetch: atOnce, autoAck: false, signal, ...(queue === undefined ? {} : { queue }) };
}

/** How many handlers run at once. */
function slotsOf({ count, concurrency }: SubFlags): number {
  return Math.min(concurrency ?? 16, count ?? Number.POSITIVE_INFINITY);
}

function endsSubscription(error: BrokerError, broker: Broker): boolean {
  return error.scope === "subscription" || broker.status === "closed";
}

function subscribed(topic: string, queue: string | undefined, broker: Broker): string {
  return `subscribed to ${topic}${queue === undefined ? "" : ` (queue ${queue})`} on ${broker.name} ${broker.address}`.trimEnd();
}
