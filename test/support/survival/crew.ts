import { randomBytes } from "node:crypto";
import { createBroker } from "../../../src/create-broker.ts";
import type { DeadLetter } from "../../../src/driver.ts";
import { silentLogger } from "../../../src/logger.ts";
import { SequenceLog } from "../../../src/testing/conformance/sequence-log.ts";
import { until } from "../../../src/testing/conformance/until.ts";
import { type Got, type MemberArguments, type PublisherArguments, Survivor } from "./survivor.ts";

const DEADLINE_MS = 90_000;
const START_DEADLINE_MS = 60_000;
/** How long nothing may come before nothing more is expected, in milliseconds. */
const QUIET_MS = 1_000;
/** How long each process may take to drain, in milliseconds. */
export const DRAIN_TIMEOUT_MS = 8_000;

/** The engine of a survival test. */
export interface SurvivalRig {
  /** The engine's name, for the report. */
  readonly name: string;
  /** The URL, with its login, on which a process opens its broker. Through a proxy, where connections are to be cut. */
  urlOf(process: string): string;
  /** A URL past every proxy. */
  readonly directUrl: string;
  /** Ends the engine with SIGKILL, and starts it again with its data. */
  readonly engine: { kill(): Promise<void>; startAgain(): Promise<void> };
  /** Breaks the connections of all processes; returns how many there were. */
  cut(): number;
  /** How long everything may take to arrive once it was published, in milliseconds. Default 90,000. */
  readonly deadlineMs?: number;
}

/** What became of the messages. */
export interface SurvivalReport {
  /** Messages whose publish resolved. */
  readonly sent: number;
  /** Receipts in all, duplicates included. */
  readonly received: number;
  /** Sent, and never received. */
  readonly lost: number;
  /** Receipts beyond a message's first. */
  readonly duplicated: number;
  /** First receipts after a later message of the same publisher at the same member. */
  readonly outOfOrder: number;
  /** Publishes that were rejected, and then tried again. */
  readonly rejected: number;
  readonly deadLetters: number;
  /** Connections that were cut, over all cuts. */
  readonly connectionsCut: number;
}

/** How a process that was told to end did. */
export interface End {
  readonly name: string;
  readonly ended: number | NodeJS.Signals;
  /** How long that took, in milliseconds. */
  readonly tookMs: number;
}

/** The processes of one survival test. */
export class Crew {
  readonly #rig: SurvivalRig;
  readonly #topic = `survival.${randomBytes(6).toString("hex")}`;
  readonly #members: Survivor[] = [];
  readonly #publishers: Survivor[] = [];
  readonly #startedAt = performance.now();

  constructor(rig: SurvivalRig) {
    this.#rig = rig;
  }

  /** Starts a member; resolves once it has subscribed. */
  async member(name: string, subscriptions: MemberArguments["subscriptions"]): Promise<Survivor> {
    const url = this.#rig.urlOf(name);
    const broker = { drainTimeoutMs: DRAIN_TIMEOUT_MS };
    const member = new Survivor({ role: "member", name, url, broker, topic: this.#topic, subscriptions });
    this.#members.push(member);
    await this.until(`${name} is ready`, () => member.ready, START_DEADLINE_MS);
    return member;
  }

  /** Starts publishers that share a number of messages. */
  async publish(publishers: number, messages: number, lastsMs: number, label = "publisher"): Promise<Survivor[]> {
    const started = Array.from({ length: publishers }, (_, index) => {
      const count = Math.floor(((index + 1) * messages) / publishers) - Math.floor((index * messages) / publishers);
      const name = `${label}-${index}`;
      const broker = { drainTimeoutMs: DRAIN_TIMEOUT_MS };
      const args: PublisherArguments = {
        role: "publisher",
        name,
        url: this.#rig.urlOf(name),
        broker,
        topic: this.#topic,
        count,
        lastsMs,
      };
      return new Survivor(args);
    });
    this.#publishers.push(...started);
    await this.until("the publishers are ready", () => started.every(({ ready }) => ready), START_DEADLINE_MS);
    return started;
  }

  /** Every handler start in a queue, by member and in order of each. */
  got(queue: string): Got[] {
    return this.#members.flatMap(({ got }) => got.filter((one) => one.queue === queue));
  }

  get allPublished(): boolean {
    return this.#publishers.every(({ published }) => published);
  }

  untilTaken(count: number): Promise<void> {
    const taken = (): number => this.#publishers.reduce((sum, { taken: texts }) => sum + texts.length, 0);
    return this.until(`${count} messages were taken`, () => taken() >= count, this.#deadlineMs);
  }

  untilPublished(): Promise<void> {
    return this.until("every publisher is done", () => this.allPublished, this.#deadlineMs);
  }

  /** Waits until so many dead letters are there, and resolves with all of them. */
  async untilDead(count: number): Promise<readonly DeadLetter[]> {
    let letters: readonly DeadLetter[] = [];
    const list = async (): Promise<boolean> => {
      letters = await this.#deadLetters();
      return letters.length >= count;
    };
    await this.until(`there are ${count} dead letters`, list, this.#deadlineMs);
    return letters;
  }

  async killMember(index: number): Promise<void> {
    const member = this.#members[index];
    if (member === undefined) throw new Error(`there is no member ${index} to kill`);
    member.signal("SIGKILL");
    await member.gone;
  }

  /** Tells a process to end, and waits until it has. */
  async terminate(survivor: Survivor): Promise<End> {
    const startedAt = performance.now();
    survivor.signal("SIGTERM");
    await this.until(`${survivor.name} has ended`, () => survivor.ended !== undefined, START_DEADLINE_MS);
    const tookMs = Math.round(performance.now() - startedAt);
    return { name: survivor.name, ended: survivor.ended ?? -1, tookMs };
  }

  /** Waits until everything taken was received in a queue and nothing more comes, and reports. */
  async report(what: string, queue: string, connectionsCut: number): Promise<SurvivalReport> {
    const received = (): SequenceLog => {
      const log = new SequenceLog();
      for (const text of this.#publishers.flatMap(({ taken }) => taken)) {
        const at = text.lastIndexOf("#");
        log.sent(text.slice(0, at), Number(text.slice(at + 1)));
      }
      for (const { member, text } of this.got(queue)) log.received(member, text);
      return log;
    };
    // What is lost is reported, not waited for: the deadline ends the waiting, the report says the rest.
    const enough = (): boolean =>
      this.got(queue).length >= this.#publishers.reduce((sum, one) => sum + one.taken.length, 0);
    await this.until("everything taken was received", () => enough() && received().complete(), this.#deadlineMs).catch(
      (error: Error) => print(this.#rig, error.message),
    );
    await this.#untilQuiet(queue);
    const audit = received().audit();
    const letters = await this.#deadLetters();
    const report: SurvivalReport = {
      sent: audit.sent,
      received: audit.received,
      lost: audit.missing.length,
      duplicated: audit.duplicated.length,
      outOfOrder: audit.outOfOrder.length,
      rejected: this.#publishers.reduce((sum, { rejected }) => sum + rejected, 0),
      deadLetters: letters.length,
      connectionsCut,
    };
    const seconds = ((performance.now() - this.#startedAt) / 1_000).toFixed(1);
    const { sent, lost, duplicated, outOfOrder, rejected, deadLetters } = report;
    const figures = `sent ${sent}, received ${report.received}, lost ${lost}, duplicated ${duplicated}, out of order ${outOfOrder}`;
    print(
      this.#rig,
      `${what}: ${figures}; rejected and sent again ${rejected}, dead letters ${deadLetters}, connections cut ${connectionsCut}, ${seconds} s`,
    );
    if (lost > 0) print(this.#rig, `lost ${audit.missing.join(" ")}; dead letters ${letters.map(said).join(", ")}`);
    return report;
  }

  async until(what: string, condition: () => unknown, deadlineMs: number = DEADLINE_MS): Promise<void> {
    const met = async (): Promise<boolean> => {
      for (const survivor of [...this.#members, ...this.#publishers]) survivor.assertWell();
      return Boolean(await condition());
    };
    await until(met, { what, deadlineMs, detail: () => this.#describe() });
  }

  /** Ends every process. */
  async close(): Promise<void> {
    const all = [...this.#publishers, ...this.#members];
    for (const survivor of all) survivor.signal("SIGKILL");
    await Promise.all(all.map(({ gone }) => gone));
  }

  get #deadlineMs(): number {
    return this.#rig.deadlineMs ?? DEADLINE_MS;
  }

  async #untilQuiet(queue: string): Promise<void> {
    let [count, since] = [-1, performance.now()];
    const quiet = (): boolean => {
      const now = this.got(queue).length;
      if (now !== count) [count, since] = [now, performance.now()];
      return performance.now() - since >= QUIET_MS;
    };
    await this.until("nothing more comes", quiet, this.#deadlineMs);
  }

  async #deadLetters(): Promise<readonly DeadLetter[]> {
    const broker = createBroker(this.#rig.directUrl, { logger: silentLogger, connectTimeoutMs: START_DEADLINE_MS });
    await broker.connect();
    try {
      return await broker.deadLetters.list(`dlq.${this.#topic}`);
    } finally {
      await broker.disconnect();
    }
  }

  #describe(): string {
    return [...this.#publishers, ...this.#members].map((survivor) => survivor.describe()).join("\n");
  }
}

/** A dead letter in short: what it was, whose, and why. */
function said({ body, queue, attempts, reason }: DeadLetter): string {
  return `${Buffer.from(body).toString()} of ${queue} after ${attempts}: ${reason}`;
}

/** Prints a line of a report. */
export function print(rig: SurvivalRig, text: string): void {
  process.stdout.write(`${rig.name}: ${text}\n`);
}
