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

// Set, not exited with: what is still on its way to standard output would be lost.
process.exitCode = await runProgram(process.argv.slice(2), terminal);
