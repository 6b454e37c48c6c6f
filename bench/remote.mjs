// The receiving process, as the contestants of two processes see it.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A receiver in a process of its own. */
export class Remote {
  #child;

  /** Starts the receiver of a contestant; resolves with what it says when it is ready. */
  async start(kind) {
    this.#child = fork(fileURLToPath(new URL("./receiver.mjs", import.meta.url)), [kind]);
    return this.#answer("ready");
  }

  /** Resolves when the receiver counts, with a promise of the arrival of `count` messages: in an object, so as not to wait for it. */
  async expect(count) {
    const arrived = this.#answer("arrived");
    const expecting = this.#answer("expecting");
    this.#child.send({ type: "expect", count });
    await expecting;
    return { arrived };
  }

  async latencies() {
    const answer = this.#answer("latencies");
    this.#child.send({ type: "latencies" });
    return answer;
  }

  async stop() {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  #answer(type) {
    return new Promise((resolve, reject) => {
      const onMessage = (message) => {
        if (message.type !== type) return;
        this.#child.off("message", onMessage);
        this.#child.off("exit", onExit);
        resolve(message.value);
      };
      const onExit = (code, signal) => reject(new Error(`the receiver ended: ${code ?? signal}`));
      this.#child.on("message", onMessage);
      this.#child.once("exit", onExit);
    });
  }
}
