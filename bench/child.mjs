// A process of a contestant, as the one that started it sees it.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A process that is asked, and answers: over IPC, one question at a time. */
export class Child {
  #child;
  #exited;

  /** Starts a file of this folder. An object at the end of the arguments is added to the environment. */
  constructor(file, ...args) {
    const environment = typeof args.at(-1) === "object" ? args.pop() : {};
    const env = { ...process.env, ...environment };
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), args, { env });
    this.#exited = once(this.#child, "exit");
  }

  /** Asks for something, and resolves with the answer. */
  ask(type, argument) {
    const answer = this.answer(type);
    this.#child.send({ type, argument });
    return answer;
  }

  /** Resolves with the next answer of this type; rejects when the process says that it failed, or ends. */
  answer(type) {
    return new Promise((resolve, reject) => {
      const forget = () => {
        this.#child.off("message", onMessage);
        this.#child.off("exit", onExit);
      };
      const onMessage = (message) => {
        if (message.type !== type && message.type !== "failed") return;
        forget();
        if (message.type === "failed") reject(new Error(message.value));
        else resolve(message.value);
      };
      const onExit = (code, signal) => {
        forget();
        reject(new Error(`the process ended: ${code ?? signal}`));
      };
      this.#child.on("message", onMessage);
      this.#child.once("exit", onExit);
    });
  }

  async stop() {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
