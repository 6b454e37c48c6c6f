import { PassThrough, Writable } from "node:stream";
import type { Terminal } from "../../src/cli/terminal.ts";
import type { Environment } from "../../src/service/settings/setting.ts";

/** A terminal within the test: what was written to it can be read, and it can be interrupted. */
export interface FakeTerminal extends Terminal {
  readonly out: () => string;
  readonly err: () => string;
  /** Ctrl-C. */
  interrupt(): void;
}

/** What a {@link FakeTerminal} is made from. */
export interface FakeTerminalOptions {
  readonly env?: Environment;
  /** What is on standard input; `undefined`: a terminal on which nothing is typed. */
  readonly stdin?: string | Uint8Array;
  /** The width of standard output, which is a terminal then. */
  readonly columns?: number;
  /** Whether standard error is a terminal. */
  readonly showsProgress?: boolean;
  /** Ctrl-C is pressed when this appears on standard error. */
  readonly interruptAt?: string;
  /** How many lines the reader of standard output takes before it leaves. */
  readonly leavesAfter?: number;
  /** What writing more than `leavesAfter` lines fails with. Default: `EPIPE`, as where the reader has left. */
  readonly outputError?: string;
}

/** Makes a terminal. */
export function fakeTerminal(options: FakeTerminalOptions = {}): FakeTerminal {
  const stop = new AbortController();
  const written = { out: "", err: "" };
  let room = options.leavesAfter ?? Number.POSITIVE_INFINITY;
  const stdin = Object.assign(new PassThrough(), { isTTY: options.stdin === undefined });
  if (options.stdin !== undefined) stdin.end(options.stdin);
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      const code = options.outputError ?? "EPIPE";
      if (room === 0) return done(Object.assign(new Error(`write ${code}`), { code }));
      room -= 1;
      written.out += String(chunk);
      done();
    },
  });
  const stderr = new Writable({
    write(chunk, _encoding, done) {
      written.err += String(chunk);
      if (options.interruptAt !== undefined && written.err.includes(options.interruptAt)) stop.abort();
      done();
    },
  });
  return {
    stdin,
    stdout: options.columns === undefined ? stdout : Object.assign(stdout, { isTTY: true, columns: options.columns }),
    stderr: options.showsProgress === true ? Object.assign(stderr, { isTTY: true }) : stderr,
    env: options.env ?? {},
    stopSignal: () => stop.signal,
    out: () => written.out,
    err: () => written.err,
    interrupt: () => stop.abort(),
  };
}
