import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { BrokerOptions, SubscribeOptions } from "../../../src/broker-options.ts";

const PROGRAM = fileURLToPath(new URL("./program.mjs", import.meta.url));
const ERRORS_SHOWN = 5;

/** A process that is a member of queues. */
export interface MemberArguments {
  readonly role: "member";
  readonly name: string;
  readonly url: string;
  readonly broker?: BrokerOptions;
  readonly topic: string;
  readonly subscriptions: readonly {
    readonly queue: string;
    readonly options?: SubscribeOptions;
    /** How long its handler takes, in milliseconds. Default 0. */
    readonly handlerMs?: number;
    /** Its handler fails on every text that begins so. */
    readonly failing?: string;
  }[];
}

/** A process that publishes `<name>#0`, `<name>#1` and so on. */
export interface PublisherArguments {
  readonly role: "publisher";
  readonly name: string;
  readonly url: string;
  readonly broker?: BrokerOptions;
  readonly topic: string;
  readonly count: number;
  /** How long that takes at least, in milliseconds. */
  readonly lastsMs: number;
}

/** A handler start. */
export interface Got {
  readonly member: string;
  readonly queue: string;
  readonly text: string;
  readonly attempt: number;
  /** When it was heard of, in milliseconds on the parent's monotonic clock. */
  readonly at: number;
}

/** A publisher or member in a process of its own. */
export class Survivor {
  readonly name: string;
  /** Handler starts, in order. */
  readonly got: Got[] = [];
  /** Texts whose publish resolved, in that order. */
  readonly taken: string[] = [];
  /** How many publishes were rejected, to be tried again. */
  rejected = 0;
  ready = false;
  published = false;
  /** How it ended: an exit code, or a signal; `undefined` while it runs. */
  ended: number | NodeJS.Signals | undefined;
  /** Resolves when everything that it told is here and it is gone. */
  readonly gone: Promise<void>;
  readonly #child: ChildProcess;
  readonly #errors: string[] = [];
  #stderr = "";

  constructor(args: MemberArguments | PublisherArguments) {
    this.name = args.name;
    this.#child = fork(PROGRAM, [JSON.stringify(args)], { execArgv: [], stdio: ["ignore", "ignore", "pipe", "ipc"] });
    this.#child.on("message", (message) => this.#hear(message as Told));
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-2_000);
    });
    this.gone = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => {
        this.ended = code ?? signal ?? -1;
        resolve();
      });
    });
  }

  signal(name: NodeJS.Signals): void {
    // The handle knows whether the process is still there, so that no stranger with the same id is hit.
    this.#child.kill(name);
  }

  /** @throws when the process ended otherwise than by a kill, or said that it failed. */
  assertWell(): void {
    if (this.ended !== undefined && this.ended !== 0 && this.ended !== "SIGKILL") throw new Error(this.describe());
  }

  describe(): string {
    const state = this.ended === undefined ? "runs" : `ended with ${this.ended}`;
    const errors = this.#errors.slice(-ERRORS_SHOWN).join("; ");
    return `${this.name} ${state}, ${this.taken.length} taken, ${this.rejected} rejected, ${this.got.length} got, last errors: ${errors} ${this.#stderr}`;
  }

  #hear(told: Told): void {
    switch (told.event) {
      case "ready":
        this.ready = true;
        break;
      case "published":
        this.published = true;
        break;
      case "got":
        this.got.push({
          member: this.name,
          queue: told.queue,
          text: told.text,
          attempt: told.attempt,
          at: performance.now(),
        });
        break;
      case "taken":
        this.taken.push(told.text);
        break;
      case "rejected":
        this.rejected += 1;
        break;
      case "error":
        this.#errors.push(`${told.code}: ${told.message}`);
        break;
      case "failed":
        this.#errors.push(`failed: ${told.message}`);
        break;
    }
  }
}

type Told =
  | { readonly event: "ready" | "published" }
  | { readonly event: "got"; readonly queue: string; readonly text: string; readonly attempt: number }
  | { readonly event: "taken" | "rejected"; readonly text: string }
  | { readonly event: "error"; readonly code: string; readonly message: string }
  | { readonly event: "failed"; readonly message: string };
