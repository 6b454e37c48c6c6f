// One of the processes of a chaos run: a publisher or a receiver. Its parent started it, kills it and reads its journal.
import { inspect } from "node:util";
import { BrokerError, type BrokerOptions, createBroker } from "tidings";
import { openJournal } from "./journal.ts";
import { resetOwnSockets } from "./own-sockets.ts";
import type { Command, ProcessArguments, Told } from "./protocol.ts";
import { publish } from "./publisher.ts";
import { receive } from "./receiver.ts";
import { hostNowMs } from "./records.ts";
import { stubbornly } from "./stubbornly.ts";

const SILENT: NonNullable<BrokerOptions["logger"]> = { debug() {}, info() {}, warn() {}, error() {} };

const args = JSON.parse(process.argv[2] ?? "") as ProcessArguments;
const resetSockets = resetOwnSockets();
const journal = openJournal(args.journal);
journal.write({ event: "started", pid: process.pid });

const finish = new AbortController();
const terminated = new Promise<void>((resolve) => {
  process.once("SIGTERM", () => {
    finish.abort();
    resolve();
  });
});
process.on("message", (command: Command) => {
  if (command.type === "finish") finish.abort();
  else tell({ type: "cut", connections: resetSockets() });
});
// Whoever started it is gone.
process.once("disconnect", () => process.exit(1));

const broker = createBroker(args.url, {
  logger: SILENT,
  onError: ({ code, message }) => tell({ type: "error", text: `${code}: ${message}` }),
  ...args.options,
});
try {
  await stubbornly(journal, () => broker.connect());
  if (args.role !== "publisher") await receive(broker, journal, args);
  const { guarantee, durable } = broker.capabilities;
  journal.write({ event: "ready", atMs: hostNowMs(), guarantee, durable });
  tell({ type: "ready" });
  // Told to end, it does not wait for answers any more: disconnecting settles what has none.
  const published = args.role === "publisher" ? publish(broker, journal, args, finish.signal) : terminated;
  await Promise.race([published, terminated]);
  await terminated;
  await broker.disconnect();
  journal.write({ event: "ended" });
  process.exit(0);
} catch (error) {
  const known = error instanceof BrokerError;
  process.stderr.write(`${known ? `${error.code}: ${error.message}` : inspect(error)}\n`);
  process.exit(1);
}

function tell(told: Told): void {
  process.send?.(told);
}
