// One of the demo's programs, as a process of its own.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** How long a program may take to end once it is told to: longer than any broker drains. */
const END_WITHIN_MS = 20_000;

/** A program of this folder that runs in a process of its own. */
export class Program {
  #child;
  name;
  /** Resolves when the program reports that it is ready. */
  ready;
  /** Resolves when the process is gone, with whether it ended well. */
  ended;

  /** `onReport` gets what the program reports. */
  constructor(name, file, flags, env, onReport) {
    this.name = name;
    // In a process group of its own: Ctrl-C reaches the supervisor only, which decides who stops when.
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), ["--server-id", name, ...flags], {
      env,
      detached: true,
    });
    this.ready = new Promise((resolve) => {
      this.#child.on("message", (event) => (event.type === "ready" ? resolve() : onReport(event)));
    });
    // Before it has started there is nothing to drain: SIGTERM ends it at once then, which is just as well.
    this.ended = once(this.#child, "exit").then(([code, signal]) => code === 0 || signal === "SIGTERM");
  }

  /** Tells it to stop; resolves with whether it ended well. */
  async stop() {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), END_WITHIN_MS);
    try {
      return await this.ended;
    } finally {
      clearTimeout(timer);
    }
  }
}
