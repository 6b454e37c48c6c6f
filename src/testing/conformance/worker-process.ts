import { type ChildProcess, type ForkOptions, fork } from "node:child_process";
import type { WorkerArguments, WorkerReport, WorkerReportOf, WorkerRole } from "./worker-protocol.ts";

/** How a worker process ended. */
export interface WorkerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Starts a script that calls `runConformanceWorker` as a process of its own, for `ConformanceHarness.spawn`. */
export function forkConformanceWorker(
  script: URL,
  role: WorkerRole,
  args: WorkerArguments,
  options: ForkOptions = {},
): ChildProcess {
  return fork(script, [role, JSON.stringify(args)], {
    execArgv: [],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    ...options,
  });
}

/** A worker process, as checks see it. */
export class WorkerProcess {
  /** Everything it reported, in order. */
  readonly reports: WorkerReport[] = [];
  /** Resolves when the process is gone. */
  readonly exited: Promise<WorkerExit>;
  /** How it ended; `undefined` while it runs. */
  exit: WorkerExit | undefined;
  readonly #child: ChildProcess;
  #errors = "";

  constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (report) => this.reports.push(report as WorkerReport));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-2_000);
    });
    this.exited = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => {
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
    // Whoever waits for the exit hears of a failed start; nobody has to.
    this.exited.catch(() => {});
  }

  /** The reports of one type. */
  of<Type extends WorkerReport["type"]>(type: Type): WorkerReportOf<Type>[] {
    return this.reports.filter((report): report is WorkerReportOf<Type> => report.type === type);
  }

  /** Whether it has reported this; throws once it can no longer do so. */
  has(type: WorkerReport["type"]): boolean {
    const failed = this.of("failed")[0];
    if (failed !== undefined) throw new Error(`the worker failed: ${failed.message}`);
    if (this.of(type).length > 0) return true;
    if (this.exit !== undefined) throw new Error(`the worker ended without reporting "${type}": ${this.describe()}`);
    return false;
  }

  /** Sends a signal, if the process is still there. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** How it ended, what it reported last and what it wrote to standard error. */
  describe(): string {
    const state = this.exit === undefined ? "running" : `exit ${this.exit.code ?? this.exit.signal}`;
    const last = this.reports.at(-1)?.type ?? "nothing";
    return `${state}, reported ${last} last${this.#errors === "" ? "" : `, standard error: ${this.#errors.trim()}`}`;
  }
}
