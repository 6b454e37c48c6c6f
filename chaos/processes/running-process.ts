import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Guardian } from "../../test/support/engines/guardian.ts";
import type { Target } from "../troubles/trouble.ts";
import type { Command, ProcessArguments, Told } from "./protocol.ts";

/** The compiled program: chaos runs compiled. */
const PROGRAM = fileURLToPath(new URL("./program.js", import.meta.url));
const START_DEADLINE_MS = 60_000;
const CUT_DEADLINE_MS = 5_000;
const ERRORS_KEPT = 3;

/** What breaks the connections of the process with this id; resolves with how many, or `undefined`: the process is to do it. */
export type CutProcess = (name: string, pid: number) => Promise<number | undefined>;

/** A publisher or receiver as a process of its own, over all its lives. */
export class RunningProcess implements Target {
  readonly name: string;
  readonly role: ProcessArguments["role"];
  /** How it ended by itself, which it never should. */
  readonly crashes: string[] = [];
  readonly #args: ProcessArguments;
  readonly #guardian: Guardian;
  readonly #cut: CutProcess;
  #child: ChildProcess | undefined;
  #ready = false;
  #paused = false;
  /** Whether its end is wanted. */
  #condemned = false;
  #onCut: ((connections: number) => void) | undefined;
  #errors: string[] = [];

  constructor(args: ProcessArguments, guardian: Guardian, cut: CutProcess) {
    this.name = args.name;
    this.role = args.role;
    this.#args = args;
    this.#guardian = guardian;
    this.#cut = cut;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  get up(): boolean {
    return this.#ready && !this.#paused;
  }

  /** As of a target. One that does not start is entered in `crashes`. */
  async start(): Promise<void> {
    this.#condemned = false;
    this.#paused = false;
    this.#errors = [];
    const child = fork(PROGRAM, [JSON.stringify(this.#args)], {
      execArgv: [],
      // A group of its own: Ctrl-C at the terminal is the parent's to handle.
      detached: true,
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child = child;
    this.#guardian.watch(child);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#note(text.trim()));
    await new Promise<void>((resolve) => {
      const late = setTimeout(() => {
        this.#note(`it was not ready within ${START_DEADLINE_MS} ms`);
        child.kill("SIGKILL");
      }, START_DEADLINE_MS);
      child.once("error", ({ message }) => this.#note(message));
      child.on("message", (told: Told) => {
        if (told.type === "cut") this.#onCut?.(told.connections);
        else if (told.type === "error") this.#note(told.text);
        else {
          this.#ready = true;
          clearTimeout(late);
          resolve();
        }
      });
      child.once("exit", () => {
        this.#child = undefined;
        this.#ready = false;
        this.#onCut?.(0);
      });
      child.once("close", (code, signal) => {
        if (!this.#condemned) {
          const how = `${this.name} ended by itself, with ${signal ?? `status ${code}`}`;
          this.crashes.push([how, ...this.#errors].join("; "));
        }
        clearTimeout(late);
        resolve();
      });
    });
  }

  async kill(): Promise<void> {
    this.#condemned = true;
    await this.#end("SIGKILL");
  }

  pause(): void {
    this.#paused = this.#child?.kill("SIGSTOP") === true;
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
    this.#paused = false;
  }

  async cut(): Promise<number> {
    const pid = this.#child?.pid;
    if (pid === undefined) return 0;
    return (await this.#cut(this.name, pid)) ?? (await this.#cutItself());
  }

  /** Tells a publisher to publish no more. */
  finish(): void {
    this.#send({ type: "finish" });
  }

  /** Tells it to end in good order, and waits for that. Resolves with what went wrong, or `undefined`. */
  async end(deadlineMs: number): Promise<string | undefined> {
    this.#condemned = true;
    const child = this.#child;
    const late = setTimeout(() => child?.kill("SIGKILL"), deadlineMs);
    await this.#end("SIGTERM");
    clearTimeout(late);
    if (child === undefined || child.exitCode === 0) return undefined;
    if (child.signalCode === "SIGKILL") return `${this.name} did not end within ${deadlineMs} ms of SIGTERM`;
    return `${this.name} ended with ${child.signalCode ?? `status ${child.exitCode}`}: ${this.#errors.join("; ")}`;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    await new Promise<void>((resolve) => {
      child.once("close", () => resolve());
      child.kill(signal);
      // A paused process takes no other signal than SIGKILL before it runs on.
      if (signal !== "SIGKILL") child.kill("SIGCONT");
    });
  }

  async #cutItself(): Promise<number> {
    return new Promise((resolve) => {
      const late = setTimeout(() => this.#onCut?.(0), CUT_DEADLINE_MS);
      this.#onCut = (connections) => {
        clearTimeout(late);
        this.#onCut = undefined;
        resolve(connections);
      };
      this.#send({ type: "cut" });
    });
  }

  #send(command: Command): void {
    if (this.#child?.connected === true) this.#child.send(command);
  }

  #note(text: string): void {
    this.#errors = [...this.#errors, text].slice(-ERRORS_KEPT);
  }
}
