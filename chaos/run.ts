import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Broker, BrokerError, createBroker } from "tidings";
import { silentLogger } from "../src/logger.ts";
import type { Guardian } from "../test/support/engines/guardian.ts";
import type { ChaosOptions, TargetKind } from "./arguments.ts";
import { type Audience, type Audit, audit } from "./check/audit.ts";
import { Ledger } from "./check/ledger.ts";
import type { Terms } from "./check/terms.ts";
import { JournalReader } from "./processes/journal.ts";
import { type ProcessArguments, queueName, topicOf } from "./processes/protocol.ts";
import { RunningProcess } from "./processes/running-process.ts";
import type { ProgressBar } from "./progress-bar.ts";
import { type ChaosReport, makeReport } from "./report.ts";
import type { Rig } from "./rigs/rig.ts";
import { schedule } from "./troubles/schedule.ts";
import type { Target } from "./troubles/trouble.ts";
import { Troublemaker } from "./troubles/troublemaker.ts";

/** How often the journals are read, in milliseconds. */
const POLL_MS = 200;
/** How much longer than asked the load may last where troubles are late, as on a busy machine, in milliseconds. */
const LATE_TROUBLES_MS = 30_000;
/** How long nothing may come before nothing more is expected, in milliseconds. */
const QUIET_MS = 1_500;
/** How long a process looks for its broker before it tries anew, and drains, in milliseconds. */
const [CONNECT_TIMEOUT_MS, DRAIN_TIMEOUT_MS] = [10_000, 10_000] as const;
/** How long a process may take to end, in milliseconds. */
const END_DEADLINE_MS = 20_000;

/** The folders of a run. */
export interface RunFolders {
  readonly journals: string;
  /** Where each process has its storage; `undefined`: none has. */
  readonly storage: string | undefined;
}

/** One run: the processes, their troubles, and what came of it. */
export class ChaosRun {
  readonly #options: ChaosOptions;
  readonly #rig: Rig;
  readonly #folders: RunFolders;
  readonly #guardian: Guardian;
  readonly #progress: ProgressBar;
  readonly #prefix = `chaos.${randomBytes(5).toString("hex")}`;
  readonly #ledger = new Ledger();
  readonly #journals = new Map<string, JournalReader>();
  #publishers: RunningProcess[] = [];
  #receivers: RunningProcess[] = [];

  constructor(options: ChaosOptions, rig: Rig, folders: RunFolders, guardian: Guardian, progress: ProgressBar) {
    this.#options = options;
    this.#rig = rig;
    this.#folders = folders;
    this.#guardian = guardian;
    this.#progress = progress;
  }

  /**
   * Runs the load and its troubles for the chosen time or until the signal, then waits until what was promised has come, at
   * most `drainSeconds`, ends the processes, and reports.
   * @throws BrokerError `ERR_CONNECT_FAILED` where a process does not start at the beginning
   */
  async run(stop: AbortSignal): Promise<ChaosReport> {
    await this.#startAll();
    const targets = this.#targets();
    const troublemaker = new Troublemaker(targets);
    const troubles = () => Object.values(troublemaker.done.counts).reduce((sum, count) => sum + count, 0);

    const loadStartedAt = performance.now();
    await this.#load(troublemaker, targets, stop, troubles);
    const loadSeconds = (performance.now() - loadStartedAt) / 1_000;

    const terms = this.#terms(troublemaker);
    const drainStartedAt = performance.now();
    const quietForMs = await this.#drain(terms, troubles());
    const drainSeconds = (performance.now() - drainStartedAt - quietForMs) / 1_000;

    const deadLetters = await this.#countDeadLetters(terms);
    const problems = this.#all.flatMap(({ crashes }) => crashes);
    // Publishers first: what they still hold goes to receivers that live.
    for (const group of [this.#publishers, this.#receivers]) {
      const ends = await Promise.all(group.map((one) => one.end(END_DEADLINE_MS)));
      problems.push(...ends.filter((end) => end !== undefined));
    }
    await this.#leaveNothing(terms);
    return makeReport(this.#ledger, this.#audit(terms), {
      options: this.#options,
      terms,
      troubles: troublemaker.done,
      cutHow: this.#rig.cutHow,
      interrupted: stop.aborted,
      loadSeconds,
      drainSeconds,
      deadLetters,
      problems,
    });
  }

  /** Receivers first: a queue gets what is published after it exists. */
  async #startAll(): Promise<void> {
    const { members, broadcast, publishers } = this.#options;
    this.#receivers = [...(await this.#make("member", members)), ...(await this.#make("broadcast", broadcast))];
    this.#publishers = await this.#make("publisher", publishers);
    for (const group of [this.#receivers, this.#publishers]) {
      await Promise.all(group.map((one) => one.start()));
      const [crash] = group.flatMap(({ crashes }) => crashes);
      if (crash !== undefined) throw new BrokerError("ERR_CONNECT_FAILED", crash);
    }
  }

  async #make(role: ProcessArguments["role"], count: number): Promise<RunningProcess[]> {
    const { queues, rate, publishers } = this.#options;
    const made: RunningProcess[] = [];
    for (let index = 0; index < count; index += 1) {
      const name = `${role}-${index}`;
      const journal = join(this.#folders.journals, `${name}.jsonl`);
      this.#journals.set(name, new JournalReader(journal));
      const storage = this.#folders.storage === undefined ? undefined : join(this.#folders.storage, name);
      if (storage !== undefined) mkdirSync(storage, { recursive: true, mode: 0o700 });
      const timeouts = { connectTimeoutMs: CONNECT_TIMEOUT_MS, drainTimeoutMs: DRAIN_TIMEOUT_MS };
      const options = storage === undefined ? timeouts : { ...timeouts, storage };
      const url = await this.#rig.urlOf(name);
      const args = { role, name, url, options, prefix: this.#prefix, queues, journal, rate: rate / publishers };
      made.push(new RunningProcess(args, this.#guardian, this.#rig.cut));
    }
    return made;
  }

  get #all(): RunningProcess[] {
    return [...this.#publishers, ...this.#receivers];
  }

  #targets(): Target[] {
    const kinds = { publisher: "publishers", member: "members", broadcast: "broadcast" } as const;
    const spared = (kind: TargetKind): boolean => this.#options.spare.includes(kind);
    const { engine } = this.#rig;
    return [
      ...this.#all.filter(({ role }) => !spared(kinds[role])),
      ...(engine === undefined || spared("engine") ? [] : [engine]),
    ];
  }

  /** Publishes and troubles. A process that ends by itself ends the load: it is a finding, and the rest of it no news. */
  async #load(
    troublemaker: Troublemaker,
    targets: readonly Target[],
    stop: AbortSignal,
    troubles: () => number,
  ): Promise<void> {
    const lastsMs = this.#options.seconds * 1_000;
    const over = new AbortController();
    const ended = AbortSignal.any([stop, over.signal]);
    const names = targets.map(({ name }) => name);
    const startedAt = performance.now();
    let back = false;
    const troubling = troublemaker.run(schedule(this.#options, names), ended).finally(() => {
      back = true;
    });
    // That it failed is told below.
    troubling.catch(() => over.abort());
    while (!back || !ended.aborted) {
      const passedMs = performance.now() - startedAt;
      const done = passedMs >= lastsMs && (troublemaker.through || passedMs >= lastsMs + LATE_TROUBLES_MS);
      if (done || this.#all.some(({ crashes }) => crashes.length > 0)) over.abort();
      this.#collect();
      this.#show(ended.aborted ? "recovery" : "load", passedMs / lastsMs, troubles());
      await delay(POLL_MS);
    }
    await troubling;
    // Whoever ended by itself is needed once more, to receive, or to send what it has kept.
    await Promise.all(this.#all.filter(({ running }) => !running).map((one) => one.start()));
  }

  /** Waits until everything promised has come and nothing more comes. Resolves with how long nothing came, in milliseconds. */
  async #drain(terms: Terms, troubles: number): Promise<number> {
    for (const publisher of this.#publishers) publisher.finish();
    const deadlineMs = this.#options.drainSeconds * 1_000;
    const startedAt = performance.now();
    let [lastNewsAt, complete] = [startedAt, false];
    for (;;) {
      const now = performance.now();
      if (this.#collect() > 0) [lastNewsAt, complete] = [now, false];
      if (now - startedAt >= deadlineMs) return 0;
      if (now - lastNewsAt >= QUIET_MS) {
        complete ||= this.#isComplete(terms);
        if (complete) return now - lastNewsAt;
      }
      this.#show("drain", (now - startedAt) / deadlineMs, troubles);
      await delay(POLL_MS);
    }
  }

  #isComplete(terms: Terms): boolean {
    if (this.#publishers.some(({ name, running }) => running && !this.#ledger.hasStopped(name))) return false;
    const { queues, broadcast } = this.#audit(terms);
    return queues.broken.length === 0 && broadcast.broken.length === 0;
  }

  /** Enters what the journals have that is new; returns how much that is. */
  #collect(): number {
    let count = 0;
    for (const [name, journal] of this.#journals) {
      for (const record of journal.read()) {
        this.#ledger.add(name, record);
        count += 1;
      }
    }
    return count;
  }

  #audit(terms: Terms): Audit {
    this.#collect();
    const names = this.#receivers.filter(({ role }) => role === "broadcast").map(({ name }) => name);
    const audience: Audience = { queues: this.#options.members === 0 ? 0 : this.#options.queues, broadcast: names };
    return audit(this.#ledger, audience, terms);
  }

  #terms(troublemaker: Troublemaker): Terms {
    this.#collect();
    const { promises } = this.#ledger;
    if (promises === undefined) throw new Error("no process was ever ready");
    const { broker, keptBy } = this.#rig;
    return { broker, keptBy, ...promises, engineKilled: (troublemaker.done.killed["engine"] ?? 0) > 0 };
  }

  /** How many dead letters there are; asked while the processes live, which may be who keeps them. */
  async #countDeadLetters(terms: Terms): Promise<number | undefined> {
    if (terms.guarantee === "at-most-once") return undefined;
    let count = 0;
    await this.#withBroker(async (broker) => {
      for (const topic of this.#topics) count += (await broker.deadLetters.list(topic)).length;
    });
    return count;
  }

  /** Takes what is this run's away from an engine, which may live on. A queue comes back while it has members. */
  async #leaveNothing(terms: Terms): Promise<void> {
    if (terms.guarantee === "at-most-once" || terms.keptBy === "publisher") return;
    await this.#withBroker(async (broker) => {
      for (const [queue, topic] of this.#topics.entries()) {
        await broker.deadLetters.drop(topic);
        if (this.#options.members > 0) await broker.queues.remove(topic, queueName(queue));
      }
    });
  }

  get #topics(): string[] {
    return Array.from({ length: this.#options.queues }, (_, queue) => topicOf(this.#prefix, queue));
  }

  async #withBroker(work: (broker: Broker) => Promise<void>): Promise<void> {
    const broker = createBroker(this.#rig.directUrl, { connectTimeoutMs: CONNECT_TIMEOUT_MS, logger: silentLogger });
    await broker.connect();
    try {
      await work(broker);
    } finally {
      await broker.disconnect();
    }
  }

  #show(phase: string, share: number, troubles: number): void {
    const { messages, acknowledged, receipts } = this.#ledger;
    this.#progress.show({ phase, share, sent: messages.size, acknowledged, received: receipts.length, troubles });
  }
}
