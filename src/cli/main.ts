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

// Commands wait until standard output has taken what they write: whatever their status, none of it is lost.
process.exitCode = await runProgram(process.argv.slice(2), terminal);
if (process.exitCode !== 0 || stop?.aborted) leave();

/**
 * Ends the process though something keeps it alive that cannot be taken back: a client's attempt to reach a server that does not
 * answer, or, once it is interrupted, a line that the reader of standard output does not take (its message is not acknowledged).
 */
function leave(): void {
  const end = () => process.exit();
  process.stderr.write("", end);
  if (stop?.aborted) setTimeout(end, LAST_WORDS_MS);
}
