import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { SubscribeOptions } from "../../../src/broker-options.ts";
import type { BrokerOptions } from "../../../src/driver.ts";
import type { HttpOptions } from "../../../src/drivers/http/index.ts";
import { until } from "../../../src/testing/conformance/until.ts";

const fixture = fileURLToPath(new URL("../fixtures/worker.mjs", import.meta.url));

/** One handler start in another process. */
export interface Got {
  readonly name: string;
  readonly topic: string;
  readonly text: string;
  readonly attempt: number;
}

/** What a process failed with. */
export interface WorkerFailure {
  readonly code?: string;
  readonly message: string;
  readonly count?: number;
}

/** A broker in a process of its own. */
export class Worker {
  readonly process: ChildProcess;
  readonly got: Got[] = [];
  /** Texts of messages whose handlers have ended. */
  readonly done: string[] = [];
  readonly errors: WorkerFailure[] = [];
  /** What its answer to SIGTERM was, once there was one. */
  terminated: WorkerFailure | undefined;
  /** The exit code, or the signal that ended it. */
  ended: number | NodeJS.Signals | undefined;
  #stderr = "";
  #next = 0;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #ready = false;

  private constructor(folder: string) {
    this.process = spawn(process.execPath, ["--unhandled-rejections=strict", fixture], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, TIDINGS_LOCAL_REGISTRY_FOLDER: folder },
    });
    this.process.once("close", (code, signal) => {
      this.ended = code ?? signal ?? -1;
      for (const { reject } of this.#waiting.values()) reject(new Error(`the process ended: ${this.describe()}`));
    });
    // A process that was killed cannot be told anything any more.
    this.process.stdin?.on("error", () => {});
    this.process.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
    if (this.process.stdout !== null)
      createInterface({ input: this.process.stdout }).on("line", (line) => this.#hear(line));
  }

  /** Starts a process; it is killed when the test ends. */
  static async start(folder: string): Promise<Worker> {
    const worker = new Worker(folder);
    onTestFinished(async () => {
      worker.kill("SIGKILL");
      await worker.exited();
    });
    await until(() => worker.#ready || worker.ended !== undefined, {
      what: "the process was ready",
      detail: () => worker.describe(),
    });
    return worker;
  }

  /** Starts a process and connects its broker. */
  static async connected(folder: string, own: HttpOptions = {}, options: BrokerOptions = {}): Promise<Worker> {
    const worker = await Worker.start(folder);
    await worker.connect(own, options);
    return worker;
  }

  connect(own: HttpOptions = {}, options: BrokerOptions = {}): Promise<string> {
    return this.ask("connect", { http: own, broker: { connectTimeoutMs: 30_000, ...options } });
  }

  subscribe(
    topic: string,
    name: string,
    options: SubscribeOptions = {},
    more: { workMs?: number; failTimes?: number; exits?: boolean } = {},
  ): Promise<void> {
    return this.ask("subscribe", { topic, name, options, ...more });
  }

  /** Publishes in order; resolves with how many receipts of each state, or errors of each code, there were. */
  publish(argument: {
    topic: string;
    prefix: string;
    count: number;
    from?: number;
    parallel?: number;
  }): Promise<Record<string, number>> {
    return this.ask("publish", argument);
  }

  /** Sends a command and resolves with its result. */
  ask<T>(command: string, argument: object = {}): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.ended !== undefined) return reject(new Error(`the process ended: ${this.describe()}`));
      const id = this.#next++;
      this.#waiting.set(id, { resolve: resolve as (value: never) => void, reject });
      this.process.stdin?.write(`${JSON.stringify({ id, command, argument })}\n`);
    });
  }

  kill(signal: NodeJS.Signals): void {
    // The handle knows whether the process is still there, so that no stranger with the same id is hit.
    this.process.kill(signal);
  }

  /** Waits until the process has ended. */
  async exited(): Promise<number | NodeJS.Signals> {
    await until(() => this.ended !== undefined, {
      what: "the process ended",
      deadlineMs: 20_000,
      detail: () => this.describe(),
    });
    return this.ended ?? -1;
  }

  /** Texts that a subscription of this process has started on. */
  texts(name: string): string[] {
    return this.got.filter((one) => one.name === name).map(({ text }) => text);
  }

  describe(): string {
    return `ended ${this.ended}, got ${this.got.length}, errors ${JSON.stringify(this.errors.slice(-5))}, ${this.#stderr.slice(-2_000)}`;
  }

  #hear(line: string): void {
    const { id, value, error, event, ...rest } = JSON.parse(line);
    if (event === "got") this.got.push(rest);
    else if (event === "done") this.done.push(rest.text);
    else if (event === "error") this.errors.push(rest);
    else if (event === "terminated") this.terminated = rest;
    else if (event === "ready") this.#ready = true;
    if (id === undefined) return;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(value as never);
    else waiting?.reject(Object.assign(new Error(error.message), error));
  }
}
