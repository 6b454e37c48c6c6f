// The receiving processes of a contestant, as its sending process sees them.
import { Child } from "./child.mjs";
import { usage } from "./usage.mjs";

/** Processes that run the same program, and are asked the same. */
export class Receivers {
  #children;
  #shared;

  /**
   * Starts so many.
   * @param shared whether each message goes to one of them; else each goes to all
   */
  constructor(count, shared, file, ...args) {
    this.#children = Array.from({ length: count }, () => new Child(file, ...args));
    this.#shared = shared;
  }

  /** Resolves when all are ready, with what they tell. */
  ready() {
    return Promise.all(this.#children.map((child) => child.answer("ready")));
  }

  /** Resolves with what each answers. */
  ask(type, argument) {
    return Promise.all(this.#children.map((child) => child.ask(type, argument)));
  }

  /** What everybody is asked who receives. */
  questions() {
    return {
      /** Starts counting anew, and measuring where that is asked for. */
      begin: (measures) => this.ask("begin", measures),
      handled: () => this.#handled(),
      /** How long each delivery was on its way, in milliseconds. */
      latencies: async () => (await this.ask("latencies")).flat(),
      usage: () => this.#usage(),
    };
  }

  async stop() {
    await Promise.all(this.#children.map((child) => child.stop()));
  }

  /** Resolves with how many messages have come to everybody that they are for. */
  async #handled() {
    const counts = await this.ask("handled");
    return this.#shared ? counts.reduce((sum, count) => sum + count, 0) : Math.min(...counts);
  }

  /** Resolves with the usage of all of them and of this process together. */
  async #usage() {
    const all = [usage(), ...(await this.ask("usage"))];
    return {
      cpuMicros: all.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0),
      peakBytes: all.reduce((sum, { peakBytes }) => sum + peakBytes, 0),
    };
  }
}
