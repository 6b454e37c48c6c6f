import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { Broker } from "../../broker.ts";
import type { BrokerOptions } from "../../broker-options.ts";
import type { Capabilities } from "../../capabilities.ts";
import { BrokerError } from "../../errors.ts";
import { silentLogger } from "../../logger.ts";
import { Gate } from "./gate.ts";
import type { ConformanceHarness } from "./harness.ts";
import type { Profile } from "./profile.ts";
import { type ReceiveOptions, Receiver } from "./receiver.ts";
import { SequenceLog } from "./sequence-log.ts";
import { pause, type Truthy, type UntilOptions, until } from "./until.ts";
import { WorkerProcess } from "./worker-process.ts";
import type { WorkerArguments, WorkerRole } from "./worker-protocol.ts";

/** What a check works with. Everything that it opens is closed at its end, whatever happened. */
export class CheckContext {
  readonly harness: ConformanceHarness;
  readonly profile: Profile;
  /** Every error that this check's brokers reported through `onError`. */
  readonly errors: BrokerError[] = [];
  readonly #run = randomBytes(4).toString("hex");
  readonly #cleanups: (() => unknown)[] = [];
  readonly #gates: Gate[] = [];
  #names = 0;
  #leavesMessages = false;

  constructor(harness: ConformanceHarness, profile: Profile) {
    this.harness = harness;
    this.profile = profile;
  }

  /** What the driver declares. */
  get capabilities(): Capabilities {
    return this.harness.capabilities;
  }

  /** A topic that nobody else uses. */
  topic(word = "topic"): string {
    this.#names += 1;
    return `kit.${this.#run}.${this.#names}.${word}`;
  }

  /** A single word that nobody else uses, for topics of a check's own making. */
  word(): string {
    this.#names += 1;
    return `kit-${this.#run}-${this.#names}`;
  }

  /** A queue name that nobody else uses. */
  queue(word = "queue"): string {
    this.#names += 1;
    return `${word}-${this.#run}-${this.#names}`;
  }

  /** A connected broker. */
  async open(options: BrokerOptions = {}): Promise<Broker> {
    return this.#keep(await this.harness.open(this.#with(options)));
  }

  /** A broker that is not connected yet. */
  unconnected(options: BrokerOptions = {}): Broker {
    return this.#keep(this.harness.unconnected(this.#with(options)));
  }

  /** A broker that is not connected yet, from one of the harness's optional members. */
  special(kind: "isolated" | "refused" | "unreachable", options: BrokerOptions = {}): Broker {
    const broker = this.harness[kind]?.(this.#with(options));
    assert.ok(broker !== undefined, `the harness has no ${kind}`);
    return this.#keep(broker);
  }

  /** A subscription that keeps what it sees. */
  receive(broker: Broker, pattern: string, options?: ReceiveOptions): Promise<Receiver> {
    return Receiver.open(broker, pattern, options);
  }

  /** A process that plays a role; killed at the end of the check. */
  spawn(role: WorkerRole, args: WorkerArguments): WorkerProcess {
    const child = this.harness.spawn?.(role, args);
    assert.ok(child !== undefined, "the harness has no spawn");
    const worker = new WorkerProcess(child);
    this.defer(async () => {
      worker.kill("SIGKILL");
      await worker.exited;
    });
    return worker;
  }

  /** A closed gate; opened at the end of the check so that no handler hangs. */
  gate(): Gate {
    const gate = new Gate();
    this.#gates.push(gate);
    return gate;
  }

  /** An empty sequence log. */
  log(): SequenceLog {
    return new SequenceLog();
  }

  /** Waits for a condition, within the profile's deadline unless told otherwise. */
  until<T>(
    what: string,
    condition: () => T | Promise<T>,
    options: Omit<UntilOptions, "what"> = {},
  ): Promise<Truthy<T>> {
    return until(condition, { deadlineMs: this.profile.deadlineMs, ...options, what });
  }

  /** Waits until a receiver, or some of them together, have seen this many handler starts. */
  async untilSeen(count: number, ...receivers: readonly Receiver[]): Promise<void> {
    const seen = (): number => receivers.reduce((sum, receiver) => sum + receiver.seen.length, 0);
    await this.until(`${count} messages were seen`, () => seen() >= count, { detail: () => `${seen()} were` });
  }

  /** Waits until a log's receivers, taken together, have everything that was sent; for so many times the profile's deadline. */
  async untilComplete(log: SequenceLog, receivers?: readonly string[], deadlines: number = 1): Promise<void> {
    await this.until("everything sent was received", () => log.complete(receivers), {
      deadlineMs: deadlines * this.profile.deadlineMs,
      detail: () => log.describe(receivers),
    });
  }

  /**
   * Waits until `count` has not changed for the profile's quiet time: the only sign that nothing more will come. Fails
   * when that does not happen within the deadline.
   */
  async quiet(count: () => number): Promise<void> {
    const { deadlineMs, quietMs } = this.profile;
    const started = performance.now();
    for (let last = count(), since = started; performance.now() - since < quietMs; ) {
      await pause(5);
      const now = count();
      if (now === last) continue;
      last = now;
      since = performance.now();
      assert.ok(
        since - started < deadlineMs + quietMs,
        `it did not become quiet within ${deadlineMs} ms: something comes again and again`,
      );
    }
  }

  /** This check leaves messages behind on purpose: brokers that say so with `ERR_UNDELIVERED` are right. */
  leavesMessages(): void {
    this.#leavesMessages = true;
  }

  /** Runs at the end of the check; what was deferred last runs first. */
  defer(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  /** Closes everything; resolves with what went wrong. */
  async end(): Promise<unknown[]> {
    for (const gate of this.#gates) gate.open();
    const failures: unknown[] = [];
    for (const cleanup of this.#cleanups.splice(0).reverse()) {
      try {
        await cleanup();
      } catch (error) {
        if (!this.#tolerates(error)) failures.push(error);
      }
    }
    return failures;
  }

  #tolerates(error: unknown): boolean {
    return this.#leavesMessages && error instanceof BrokerError && error.code === "ERR_UNDELIVERED";
  }

  #with(options: BrokerOptions): BrokerOptions {
    return { logger: silentLogger, onError: (error) => this.errors.push(error), ...options };
  }

  #keep(broker: Broker): Broker {
    this.defer(() => broker.disconnect());
    return broker;
  }
}
