// Starts the demo's programs, prints what they report, and stops them in order: the publisher first, then the subscribers.
import { stopSignal } from "../dist/cli/stop-signal.js";
import { Program } from "./program.mjs";
import { Tally } from "./tally.mjs";
import { BROADCAST_TOPIC, QUEUE, SHARED_TOPIC } from "./topics.mjs";

/** Between messages, when they go on until Ctrl-C. */
const INTERVAL_MS = 500;

/** How long the pauses of a counted run take in all, at most. */
const COUNTED_RUN_MS = 5_000;

/** How long to wait for what a broker still has to deliver once everything is published. */
const ARRIVAL_MS = 10_000;

const OBJECT = { name: "object", file: "./object-subscriber.mjs", receivers: ["object.first", "object.second"] };
const MEMBERS = ["member-1", "member-2"].map((name) => ({ name, file: "./queue-subscriber.mjs", receivers: [name] }));
const SUBSCRIBERS = [OBJECT, ...MEMBERS];

/** Who must get each message of a topic; the members of a queue count as one. */
const AUDIENCE = { [BROADCAST_TOPIC]: OBJECT.receivers, [SHARED_TOPIC]: [QUEUE] };

/** One run of the demo. */
export class Supervisor {
  #env;
  #flags;
  #messages;
  #tally = new Tally(AUDIENCE);
  #halted = false;
  #halt = () => {};
  #untilHalted;
  #failed = false;
  #ending = false;
  #onArrival;

  /** `messages` on each topic, or `undefined` until Ctrl-C; `flags` and `env` are what every program is given. */
  constructor(messages, flags, env) {
    this.#messages = messages;
    this.#flags = flags;
    this.#env = env;
    this.#untilHalted = new Promise((resolve) => {
      this.#halt = () => {
        this.#halted = true;
        resolve();
      };
    });
  }

  /** Runs the programs to their end; resolves with whether nothing was lost and all of them ended well. */
  async run() {
    stopSignal().addEventListener("abort", this.#halt, { once: true });
    // A reader that leaves, such as `head`, ends the demo.
    process.stdout.on("error", this.#halt);
    const subscribers = SUBSCRIBERS.map(({ name, file }) => this.#start(name, file));
    await Promise.race([Promise.all(subscribers.map(({ ready }) => ready)), this.#untilHalted]);
    const published = this.#halted || (await this.#publish());
    this.#ending = true;
    const ended = await Promise.all(subscribers.map((program) => program.stop()));
    return this.#summarize() && published && ended.every(Boolean);
  }

  async #publish() {
    const counted = this.#messages !== undefined;
    if (!counted) console.log(`running until Ctrl-C; in another terminal: npx tidings sub ${BROADCAST_TOPIC}`);
    const intervalMs = counted ? Math.min(50, COUNTED_RUN_MS / this.#messages) : INTERVAL_MS;
    const own = [`--interval-ms=${intervalMs}`, ...(counted ? [`--messages=${this.#messages}`] : [])];
    const publisher = this.#start("publisher", "./publisher.mjs", own);
    await Promise.race([publisher.ended, this.#untilHalted]);
    const endedWell = await publisher.stop();
    // An engine may still have messages on their way when the publisher is done.
    if (!this.#failed) await this.#arrival();
    return endedWell;
  }

  /** Waits until everybody has everything, or it is no longer to be expected. */
  async #arrival() {
    let timer;
    await new Promise((resolve) => {
      timer = setTimeout(resolve, ARRIVAL_MS);
      this.#onArrival = () => this.#tally.complete && resolve();
      this.#onArrival();
    });
    clearTimeout(timer);
  }

  #start(name, file, own = []) {
    const program = new Program(name, file, [...own, ...this.#flags], this.#env, (event) => this.#report(event));
    void program.ended.then((endedWell) => {
      if (this.#ending || (name === "publisher" && endedWell)) return;
      console.error(`${name} ended by itself`);
      this.#failed = true;
      this.#halt();
    });
    return program;
  }

  #report(event) {
    if (event.type === "published") {
      this.#tally.published(event);
      console.log(`${"publisher".padEnd(13)} -> ${event.topic} #${event.sequence} (${event.state})`);
    } else {
      const audience = event.topic === SHARED_TOPIC ? QUEUE : event.receiver;
      this.#tally.received({ ...event, audience });
      console.log(`${event.receiver.padEnd(13)} <- ${event.topic} #${event.sequence}`);
      this.#onArrival?.();
    }
  }

  #summarize() {
    for (const { name, receivers } of SUBSCRIBERS) {
      const counts = receivers.map(
        (receiver) => `${receiver === name ? "" : `${receiver} `}${this.#tally.of(receiver)}`,
      );
      console.log(`${name}: received ${counts.join(", ")}`);
    }
    const mixups = this.#tally.mixups();
    for (const { topic, id } of mixups)
      console.error(`message ${id} arrived on ${topic} with another number or topic than it was published with`);
    const summary = this.#tally.summary();
    if (this.#messages === undefined)
      console.log(`published: ${summary.published}, lost: ${summary.lost}, duplicates: ${summary.duplicates}`);
    else console.log(JSON.stringify(summary));
    return summary.lost === 0 && mixups.length === 0;
  }
}
