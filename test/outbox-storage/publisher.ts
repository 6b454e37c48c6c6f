import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { until } from "../../src/testing/conformance/until.ts";

const FIXTURE = fileURLToPath(new URL("./fixtures/publisher.mjs", import.meta.url));

/** How a {@link Publisher} publishes. */
export interface PublisherOptions {
  readonly registry: string;
  readonly folder: string;
  /** What its messages' texts have in common. */
  readonly prefix: string;
  readonly topics: readonly string[];
  /** Publishes at once. Default 16. */
  readonly window?: number;
  /** Pause of each of them, in milliseconds. Default 1. */
  readonly pauseMs?: number;
  /** How many messages it publishes. Default as many as it can. */
  readonly limit?: number;
  /** What it runs under, such as `strace` with its arguments. */
  readonly under?: readonly string[];
}

/** A publisher with storage in a process of its own; it is killed when the test ends. */
export class Publisher {
  readonly #process: ChildProcess;
  /** Texts whose publish has resolved. */
  readonly stored: string[] = [];
  /** Everything else that it said. */
  readonly lines: string[] = [];
  ended = false;
  #stderr = "";

  private constructor(options: PublisherOptions) {
    const { registry, folder, prefix, topics, window = 16, pauseMs = 1, limit = 1e9, under = [] } = options;
    const command = [
      ...under,
      process.execPath,
      FIXTURE,
      folder,
      prefix,
      String(window),
      String(pauseMs),
      String(limit),
    ];
    this.#process = spawn(command[0] as string, [...command.slice(1), ...topics], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, TIDINGS_LOCAL_REGISTRY_FOLDER: registry },
    });
    this.#process.once("close", () => {
      this.ended = true;
    });
    this.#process.stdin?.on("error", () => {});
    this.#process.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
    if (this.#process.stdout !== null)
      createInterface({ input: this.#process.stdout }).on("line", (line) => {
        if (line.startsWith("stored ")) this.stored.push(line.slice("stored ".length));
        else this.lines.push(line);
      });
  }

  /** Starts one, and waits until it is connected. */
  static async start(options: PublisherOptions): Promise<Publisher> {
    const publisher = new Publisher(options);
    onTestFinished(() => publisher.end("SIGKILL"));
    await publisher.said("connected");
    return publisher;
  }

  /** Publishes no more, and waits until all is answered. */
  async stop(): Promise<void> {
    this.#process.stdin?.write("stop\n");
    await this.said("stopped");
  }

  async said(line: string): Promise<void> {
    await until(() => this.lines.includes(line) || this.ended, {
      what: `the publisher said ${line}`,
      deadlineMs: 40_000,
      detail: () => this.describe(),
    });
    if (!this.lines.includes(line)) throw new Error(`the publisher ended: ${this.describe()}`);
  }

  /** Ends it with a signal, and waits until it has ended. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.ended) return;
    this.#process.kill(signal);
    // What runs under another program does not get its signals.
    this.#process.stdin?.end();
    await until(() => this.ended, { what: "the publisher ended", deadlineMs: 20_000, detail: () => this.describe() });
  }

  describe(): string {
    return `${this.stored.length} stored, ${this.lines.slice(-5).join(" | ")} ${this.#stderr.slice(-2_000)}`;
  }
}
