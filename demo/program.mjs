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
  constructor(name, file, settings, env, onReport) {
    this.name = name;
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify({ name, ...settings })], { env });
    this.ready = new Promise((resolve) => {
      this.#child.on("message", (event) => (event.type === "ready" ? resolve() : onReport(event)));
    });
    this.ended = once(this.#child, "exit").then(([code]) => code === 0);
  }

  /** Tells it to stop; resolves with whether it ended well. May be called again. */
  async stop() {
    // A process that is gone needs no message: its end is what counts.
    if (this.#child.connected) this.#child.send("stop", () => {});
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), END_WITHIN_MS);
    try {
      return await this.ended;
    } finally {
      clearTimeout(timer);
    }
  }
}
