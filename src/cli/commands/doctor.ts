import type { Command } from "commander";
import { BrokerError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import type { GivenFlags } from "../../service/settings/parse-flags.ts";
import { resolveBrokerSettings } from "../../service/settings/resolve-settings.ts";
import { colorsFor } from "../colors.ts";
import { examine } from "../doctor/examine.ts";
import type { Finding } from "../doctor/finding.ts";
import { jsonLine, visible } from "../escape.ts";
import { openBroker } from "../open-broker.ts";
import { milliseconds } from "../parse-flags.ts";
import { addSharedOptions } from "../shared-options.ts";
import type { Terminal } from "../terminal.ts";
import { TextWriter } from "../text-writer.ts";

interface DoctorFlags extends GivenFlags {
  readonly timeoutMs: number;
  readonly json?: boolean;
}

const AFTER_HELP = `
Examples:
  tidings doctor
  tidings doctor --broker nats --broker-address 127.0.0.1:4222
  tidings doctor --json | jq '.checks[] | select(.status != "ok")'

A warning works, but not as well as it could; a failure does not work, and gives exit status 1.`;

/** Adds `tidings doctor`: says what works and what to mend. */
export function addDoctor(program: Command, terminal: Terminal, onFailure: () => void): void {
  const command = program
    .command("doctor")
    .description("Connect, and say what the server is, what the broker promises, what works and what to mend.")
    .option("--timeout-ms <ms>", "how long connecting, and a message, may take", milliseconds("--timeout-ms"), 10_000)
    .option("--json", "print one line of JSON")
    .addHelpText("after", AFTER_HELP)
    .action((flags: DoctorFlags) => diagnose(flags, terminal, onFailure));
  addSharedOptions(command);
}

async function diagnose(flags: DoctorFlags, terminal: Terminal, onFailure: () => void): Promise<void> {
  const settings = resolveBrokerSettings(flags, terminal.env);
  const stop = terminal.stopSignal();
  const findings: Finding[] = [];
  const output = new TextWriter(terminal.stdout);
  const print = (finding: Finding) => {
    findings.push(finding);
    if (flags.json !== true) output.write(`${findingText(finding, terminal)}\n`);
    if (finding.status === "failure") {
      onFailure();
      terminal.stderr.write(`${finding.code ?? "ERR_DRIVER"}: ${visible(`${finding.check}: ${finding.message}`)}\n`);
    }
  };
  const broker = openBroker(settings, {
    logger: noticing((message) => print({ check: "notice", status: "warning", message })),
    onError: ({ code, message }) => print({ check: "notice", status: "warning", message: `${code}: ${message}` }),
    connectTimeoutMs: Math.max(1, flags.timeoutMs),
    // What does not answer now is what is to be told.
    reconnect: { maxAttempts: 1 },
  });
  const facts = {
    broker: broker.name,
    address: "",
    server: null as object | null,
    capabilities: null as object | null,
  };
  try {
    await examine(broker, flags.timeoutMs, stop, (finding) => {
      if (broker.status === "connected") {
        Object.assign(facts, {
          address: broker.address,
          server: broker.server ?? null,
          capabilities: broker.capabilities,
        });
      }
      print(finding);
    });
  } catch (error) {
    if (!(stop.aborted && error === stop.reason)) throw error;
    throw new BrokerError("ERR_NOT_CONNECTED", "Interrupted: the examination did not come to its end.");
  } finally {
    await broker.disconnect();
  }
  if (flags.json === true) output.write(`${jsonLine({ ...facts, checks: findings })}\n`);
  await output.written();
}

/** A finding as a line, its advice on the next. */
function findingText({ check, status, message, advice }: Finding, { stdout, env }: Terminal): string {
  const colors = colorsFor(stdout, env);
  const paint = { ok: colors.green, warning: colors.yellow, failure: colors.red }[status];
  const line = `${paint(status.padEnd(8))} ${check.padEnd(16)} ${visible(message)}`;
  return advice === undefined ? line : `${line}\n${" ".repeat(26)}${colors.dim(visible(advice))}`;
}

/** A logger whose warnings and errors go to a function. */
function noticing(notice: (message: string) => void): Logger {
  const tell = (_details: object, message: string) => notice(message);
  return { debug: () => {}, info: () => {}, warn: tell, error: tell };
}
