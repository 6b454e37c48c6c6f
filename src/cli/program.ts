import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { withHyphens } from "../service/settings/parse-flags.ts";
import { addDlq } from "./commands/dlq.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addPub } from "./commands/pub.ts";
import { addQueues } from "./commands/queues.ts";
import { addServices } from "./commands/services.ts";
import { addSub } from "./commands/sub.ts";
import { visible } from "./escape.ts";
import { exitStatus, isBrokenPipe, reportError } from "./report-error.ts";
import type { Terminal } from "./terminal.ts";
import { TextWriter } from "./text-writer.ts";

const DESCRIPTION =
  "Publish and subscribe from a terminal. Without --broker or TIDINGS_BROKER it uses the embedded HTTP broker: processes of " +
  "this host find each other by themselves. User and password belong in TIDINGS_BROKER, never into a flag.";

const AFTER_HELP = `
Examples, in two terminals:
  tidings sub orders.created --queue billing
  tidings pub orders.created '{"id":7}' -H x-id=7

Flags win over TIDINGS_* variables, and those over go-micro's MICRO_*. Errors go to standard error with their code.
Exit status: 0, 1 for a failure, 2 for wrong usage. TIDINGS_DEBUG=1 adds stack traces.`;

/**
 * Runs the command line.
 * @param args the arguments, without the program's name
 * @returns the exit status: 0, 1 for a failure, 2 for wrong usage; the error is on standard error then
 */
export async function runProgram(args: readonly string[], terminal: Terminal): Promise<number> {
  // What a report finds is no error of the command that prints it, but the exit status tells of it.
  let failed = false;
  const onFailure = () => {
    failed = true;
  };
  const help = new TextWriter(terminal.stdout);
  try {
    await parse(createProgram(terminal, help, onFailure), args);
    await help.written();
    return failed ? 1 : 0;
  } catch (error) {
    if (error instanceof CommanderError) return 2;
    if (isBrokenPipe(error)) return failed ? 1 : 0;
    reportError(error, terminal);
    return exitStatus(error);
  }
}

/** Runs the command that the arguments name. Help and version, for which commander throws as well, are no error. */
async function parse(program: Command, args: readonly string[]): Promise<void> {
  try {
    await program.parseAsync(withHyphens(args), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError && error.exitCode === 0)) throw error;
  }
}

function createProgram(terminal: Terminal, help: TextWriter, onFailure: () => void): Command {
  const { stdout, stderr } = terminal;
  // Settings come first: the commands inherit them when they are added.
  const program = new Command("tidings")
    .description(DESCRIPTION)
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", AFTER_HELP)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => help.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: (text, write) => write(`${usageLine(text)}\n`),
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
    });
  addPub(program, terminal);
  addSub(program, terminal);
  addServices(program, terminal);
  addQueues(program, terminal);
  addDlq(program, terminal);
  addDoctor(program, terminal, onFailure);
  return program;
}

/** What commander finds wrong, as an error line. A value glued to an unknown flag is left out: it may be a secret. */
function usageLine(text: string): string {
  const problem = text.replace(/^error: /, "").replace(/(unknown option '[^'=]*)=[^\n]*'/, "$1'");
  return `ERR_INVALID_OPTION: ${visible(problem.trim().replace(/\n+/g, " "))}`;
}

function version(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  return manifest.version;
}
