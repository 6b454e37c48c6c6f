#!/usr/bin/env node
/** The program `tidings`. */
import { runProgram } from "./program.ts";
import { stopSignal } from "./stop-signal.ts";
import type { Terminal } from "./terminal.ts";

/** How long a process that was interrupted waits for the reader of standard error, in milliseconds. */
const LAST_WORDS_MS = 1_000;

let stop: AbortSignal | undefined;
const terminal: Terminal = {
  get stdin() {
    return process.stdin;
  },
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  stopSignal: () => {
    stop ??= stopSignal();
    return stop;
  },
};

// Where nobody reads standard error any more, its lines are lost, and nothing else is: without a listener the process would end.
process.stderr.on("error", () => {});

// Set, not exited with: what is still on its way to standard output would be lost.
process.exitCode = await runProgram(process.argv.slice(2), terminal);
if (stop?.aborted) endSoon();

/**
 * Ends an interrupted process though something keeps it alive that cannot be taken back: a line that the reader of standard output
 * does not take (its message is not acknowledged), or a client's attempt to reach a server.
 */
function endSoon(): void {
  const end = () => process.exit();
  process.stderr.write("", end);
  setTimeout(end, LAST_WORDS_MS);
}
