import { runProgram } from "../../src/cli/program.ts";
import { type FakeTerminal, type FakeTerminalOptions, fakeTerminal } from "./fake-terminal.ts";

/** What a command that ran within the test came to. */
export interface CommandResult {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Starts a command within the test. */
export function startCommand(
  args: readonly string[],
  options: FakeTerminalOptions = {},
): { readonly terminal: FakeTerminal; readonly ended: Promise<number> } {
  const terminal = fakeTerminal(options);
  return { terminal, ended: runProgram(args, terminal) };
}

/** Runs a command within the test, to its end. */
export async function runCommand(args: readonly string[], options?: FakeTerminalOptions): Promise<CommandResult> {
  const { terminal, ended } = startCommand(args, options);
  const status = await ended;
  return { status, out: terminal.out(), err: terminal.err() };
}
