import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "../../src/testing/conformance/until.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** A registry folder of a test's own, so that only its processes meet. */
export interface OwnFolder {
  readonly path: string;
  /** What makes programs meet there. */
  readonly env: Readonly<Record<string, string>>;
  remove(): void;
}

/** Makes a registry folder. */
export function ownFolder(): OwnFolder {
  const folder = mkdtempSync(join(tmpdir(), "tidings-test-"));
  return {
    path: folder,
    env: { TIDINGS_LOCAL_REGISTRY_FOLDER: folder },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A running program. */
export class RunningProgram {
  /** Resolves with the exit status, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** The process; its pipes are open. */
  readonly child: ChildProcess;
  out = "";
  err = "";
  #exit: number | NodeJS.Signals | undefined;

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.child = spawn(command, args, { env: { ...cleanEnvironment(), ...env }, stdio: "pipe" });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.out += text;
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.err += text;
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.once("error", reject);
      this.child.once("close", (code, signal) => {
        this.#exit = code ?? signal ?? 0;
        resolve(this.#exit);
      });
    });
  }

  /** The lines of standard output. */
  get lines(): string[] {
    return this.out.split("\n").filter((line) => line !== "");
  }

  /** Waits until it has ended, which must be with this status or by this signal; the error says what it wrote. */
  async endsWith(status: number | NodeJS.Signals): Promise<void> {
    const ended = await this.ended;
    if (ended !== status) throw new Error(`ended with ${ended}, not ${status}\n${this.out}\n${this.err}`);
  }

  /** Waits until standard error holds a text. */
  async says(text: string): Promise<void> {
    await this.#until(() => this.err.includes(text), `standard error says ${JSON.stringify(text)}`);
  }

  /** Waits until standard output has this many lines. */
  async hasLines(count: number): Promise<void> {
    await this.#until(() => this.lines.length >= count, `standard output has ${count} lines`);
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const detail = () => `status ${this.#exit ?? "running"}\n${this.out}\n${this.err}`;
    await until(() => condition() || (this.#exit !== undefined && Promise.reject(new Error(`ended: ${detail()}`))), {
      what,
      detail,
    });
  }
}

/** Starts `tidings` with arguments; without `input` its standard input is empty. */
export function tidings(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  input: string | Uint8Array = "",
): RunningProgram {
  const program = new RunningProgram(process.execPath, [MAIN, ...args], env);
  // A program that ends without reading closes the pipe: that is its right.
  program.child.stdin?.on("error", () => {});
  program.child.stdin?.end(input);
  return program;
}

/** The environment without what would configure Tidings or colour its output. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(TIDINGS_|MICRO_|NODE_OPTIONS|FORCE_COLOR)/.test(name)),
  );
}
