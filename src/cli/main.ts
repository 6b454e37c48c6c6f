#!/usr/bin/env node
/** The program `tidings`. */
import { runProgram } from "./program.ts";
import { stopSignal } from "./stop-signal.ts";
import type { Terminal } from "./terminal.ts";

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
