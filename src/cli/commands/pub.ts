import type { Command } from "commander";
import type { PublishOptions } from "../../broker-options.ts";
import { BrokerError } from "../../errors.ts";
import { checkTag, copyHeader } from "../../message.ts";
import type { GivenFlags } from "../../service/settings/parse-flags.ts";
import { resolveBrokerSettings } from "../../service/settings/resolve-settings.ts";
import { checkTopic } from "../../topics.ts";
import { AnswerLimit } from "../answer-limit.ts";
import { awaitDelivery } from "../await-delivery.ts";
import { GivenUp } from "../given-up.ts";
import { LineWriter } from "../line-writer.ts";
import { openBroker, withBroker } from "../open-broker.ts";
import { collectHeader, milliseconds, rate, wholeNumber } from "../parse-flags.ts";
import { Progress } from "../progress.ts";
import { publishMany } from "../publish-many.ts";
import { readBody } from "../read-body.ts";
import { Receipts } from "../receipts.ts";
import { reportError, terminalLogger, terminalOnError } from "../report-error.ts";
import { addSharedOptions } from "../shared-options.ts";
import type { Terminal } from "../terminal.ts";

interface PubFlags extends GivenFlags {
  readonly header?: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly id?: string;
  readonly count: number;
  readonly rate?: number;
  readonly timeoutMs: number;
  readonly json?: boolean;
}

/** How long connecting, and the broker's answer, may take, however short --timeout-ms is, in milliseconds. */
const LEAST_MS = 3_000;

/** How long disconnecting may take once delivery was waited for, in milliseconds. */
const DRAIN_MS = 1_000;

const EXAMPLES = `
Examples:
  tidings pub orders.created '{"id":7}' -H x-id=7    one message with a header
  tidings pub orders.created < order.json            the body from standard input
  tidings pub ticks hello --count 100 --rate 10      a hundred messages, ten a second

On the HTTP broker it ends when everything is delivered and handled, on others when it is stored; with ERR_UNDELIVERED and
status 1 when it is not within --timeout-ms.`;

/** Adds `tidings pub`: publishes messages and waits until they are delivered. */
export function addPub(program: Command, terminal: Terminal): void {
  const command = program
    .command("pub")
    .description("Publish to a topic, and wait until it is delivered.")
    .argument("<topic>", "the topic")
    .argument("[body]", "the body; - or none: standard input")
    .option("-H, --header <name=value>", "a header; may be given several times", collectHeader)
    .option("-k, --key <key>", "the message's key: messages of one key are handled in order")
    .option("--id <id>", "the message's id (default: a new UUID)")
    .option("-n, --count <n>", "publish it this many times", wholeNumber("--count"), 1)
    .option("--rate <n>", "messages a second (default: as fast as they are taken)", rate("--rate"))
    .option(
      "--timeout-ms <ms>",
      "how long to connect, and then to wait for delivery",
      milliseconds("--timeout-ms"),
      10_000,
    )
    .option("--json", "print receipts as lines of JSON")
    .addHelpText("after", EXAMPLES)
    .action((topic: string, body: string | undefined, flags: PubFlags) => publish(topic, body, flags, terminal));
  addSharedOptions(command);
}

async function publish(topic: string, body: string | undefined, flags: PubFlags, terminal: Terminal): Promise<void> {
  const options = publishOptions(topic, flags);
  const settings = resolveBrokerSettings(flags, terminal.env);
  const { header } = copyHeader(flags.header, topic);
  const stop = terminal.stopSignal();
  const broker = openBroker(settings, {
    logger: terminalLogger(terminal),
    onError: terminalOnError(terminal),
    drainTimeoutMs: DRAIN_MS,
    connectTimeoutMs: Math.max(LEAST_MS, flags.timeoutMs),
  });
  let published = 0;
  const givenUp = new GivenUp(topic);
  const answers = new AnswerLimit(Math.max(LEAST_MS, flags.timeoutMs), stop);
  const receipts = new Receipts(new LineWriter(terminal.stdout), topic, {
    json: flags.json === true,
    expected: flags.count,
  });
  const progress = new Progress(terminal.stderr, (count) => `published ${count} of ${flags.count}`);

  await withBroker(broker, terminal, async () => {
    const message = { header, body: await bodyOf(body, broker.options.maxMessageBytes ?? 0, stop, terminal) };
    await broker.connect({ signal: stop });
    const error = await publishMany({
      count: flags.count,
      rate: flags.rate,
      publish: () => answers.wait((signal) => broker.publish(topic, message, { ...options, signal })),
      onReceipt: async (receipt) => {
        published += 1;
        progress.update(published);
        await receipts.add(receipt);
      },
      stop,
    });
    progress.clear();
    await receipts.end();
    const waiting = receipts.count("waiting");
    if (waiting > 0 && !stop.aborted) {
      const found = `${waiting} message(s) found no subscriber ready`;
      const what = broker.capabilities.durable
        ? "they are stored, and wait for the first"
        : `waiting for delivery, at most ${flags.timeoutMs} ms`;
      terminal.stderr.write(`${found}: ${what}\n`);
    }
    try {
      await awaitDelivery(broker, flags.timeoutMs, stop);
    } catch (undelivered) {
      if (error === undefined) throw undelivered;
      reportError(undelivered, terminal);
    }
    if (error !== undefined) throw error;
    givenUp.refuse();
    refuseUnrouted(receipts.count("unrouted"), topic);
  })
    .catch((error: unknown) => {
      if (error !== stop.reason) throw error;
    })
    .finally(() => {
      givenUp.stop();
      answers.end();
    });
  const count = flags.count - published;
  if (count > 0) {
    const text = `Interrupted: ${count} of ${flags.count} messages were not published.`;
    throw new BrokerError("ERR_UNDELIVERED", text, { count, topic });
  }
}

function publishOptions(topic: string, { key, id, count }: PubFlags): PublishOptions {
  checkTopic(topic);
  if (key !== undefined) checkTag("key", key, topic);
  if (id !== undefined) {
    checkTag("id", id, topic);
    if (count > 1) throw new BrokerError("ERR_INVALID_OPTION", "--id names one message: it does not go with --count.");
  }
  return { ...(key === undefined ? {} : { key }), ...(id === undefined ? {} : { id }) };
}

async function bodyOf(
  argument: string | undefined,
  maxBytes: number,
  stop: AbortSignal,
  { stdin }: Terminal,
): Promise<string | Uint8Array> {
  if (argument !== undefined && argument !== "-") return argument;
  if (argument === undefined && stdin.isTTY === true) {
    throw new BrokerError(
      "ERR_INVALID_OPTION",
      "There is no body: give it as an argument, or on standard input ('' is an empty one).",
    );
  }
  return readBody(stdin, maxBytes, stop);
}

/** A broker that drops what nobody wants says so in the receipt: that is no delivery. */
function refuseUnrouted(count: number, topic: string): void {
  if (count === 0) return;
  const why = `nobody subscribes to ${topic}, and the broker keeps nothing for later`;
  throw new BrokerError("ERR_UNDELIVERED", `${count} message(s) not delivered: ${why}.`, { count, topic });
}
