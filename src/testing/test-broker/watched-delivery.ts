import { ACK, type Dead, type DriverDelivery, type Outcome, RELEASE, type SubscribeRequest } from "../../driver.ts";
import { BrokerError, describeError } from "../../errors.ts";
import type { Header } from "../../message.ts";
import type { Ledger } from "./ledger.ts";
import { DeadLetteredMessage } from "./recorded-message.ts";

/** When a message comes again whose ack or dead letter failed, in milliseconds. */
const COMES_AGAIN_MS = 1_000;

/** A delivery on its way through the driver line: its outcome is watched, and fails where the test wants that. */
export class WatchedDelivery implements DriverDelivery {
  readonly topic: string;
  readonly id: string;
  readonly key: string | undefined;
  readonly header: Header;
  readonly body: Uint8Array;
  readonly attempt: number;
  readonly firstFailureAt: number | undefined;
  readonly #source: DriverDelivery;
  readonly #request: SubscribeRequest;
  readonly #ledger: Ledger;
  readonly #generation: number;
  /** The attempt that runs or is to come, retries above the driver included. */
  #latestAttempt: number;

  constructor(source: DriverDelivery, request: SubscribeRequest, ledger: Ledger) {
    this.topic = source.topic;
    this.id = source.id;
    this.key = source.key;
    this.header = source.header;
    this.body = source.body;
    this.attempt = source.attempt;
    this.firstFailureAt = source.firstFailureAt;
    this.#source = source;
    this.#request = request;
    this.#ledger = ledger;
    this.#generation = ledger.generation;
    this.#latestAttempt = source.attempt;
  }

  /** Whether a `reset()` has dropped the message: nothing becomes of it any more. */
  get dropped(): boolean {
    return this.#generation !== this.#ledger.generation;
  }

  settle(outcome: Outcome): void | Promise<void> {
    if (this.dropped) return;
    const { activity, outage } = this.#ledger;
    activity.touch();
    if (outcome.kind === "release") return this.#source.settle(outcome);
    if (outage.error !== undefined) {
      outage.whenUp(() => void this.#source.settle(RELEASE));
      return Promise.reject(this.#failed("ERR_CONNECTION_LOST", "could not be settled", outage.error));
    }
    if (outcome.kind === "ack") return this.#ack();
    if (outcome.kind === "dead") return this.#bury(outcome);
    // A retry without any delay would go round and round within one turn of the event loop.
    return this.#comeAgain(Math.max(1, outcome.delayMs), outcome.attempt, outcome.firstFailureAt);
  }

  extend(ms: number, attempt: number): void {
    if (this.dropped) return;
    const { activity, clock } = this.#ledger;
    activity.touch();
    if (attempt > this.#latestAttempt) {
      // Not more time for a handler, but a local retry: its delay and then the time limit of a handler.
      this.#latestAttempt = attempt;
      const dueAt = clock.now() + Math.ceil(ms - this.#request.ackTimeoutMs);
      activity.wait({ dueAt, what: this.#describe(attempt), local: true });
    }
    this.#source.extend?.(ms, attempt);
  }

  /** The dead letter that could not be written when the message was here before, if that is why it is here again. */
  takeUnwritten(): Dead | undefined {
    const { unwritten } = this.#ledger;
    const dead = unwritten.get(this.#place);
    if (dead === undefined || dead.attempts + 1 !== this.attempt) return undefined;
    unwritten.delete(this.#place);
    return dead;
  }

  #ack(): void | Promise<void> {
    const failure = this.#ledger.failures.take("ack", this.topic);
    if (failure === undefined) return this.#source.settle(ACK);
    this.#comeAgain(COMES_AGAIN_MS, this.#latestAttempt + 1, this.firstFailureAt);
    return Promise.reject(failure);
  }

  #bury(dead: Dead): void | Promise<void> {
    const { to } = dead;
    if (to === false) return this.#source.settle(dead);
    const { failures, unwritten } = this.#ledger;
    const failure = failures.take("deadLetter", this.topic, to);
    if (failure !== undefined) {
      unwritten.set(this.#place, dead);
      this.#comeAgain(COMES_AGAIN_MS, dead.attempts + 1, dead.firstAt);
      return Promise.reject(this.#failed("ERR_DEAD_LETTER", "could not become a dead letter and stays", failure));
    }
    this.#ledger.recordDeadLettered(new DeadLetteredMessage(this, this.#request.queue, to, dead));
    return this.#source.settle(dead);
  }

  #comeAgain(delayMs: number, attempt: number, firstFailureAt: number | undefined): void {
    const { activity, clock } = this.#ledger;
    activity.wait({ dueAt: clock.now() + Math.ceil(delayMs), what: this.#describe(attempt), local: false });
    void this.#source.settle({ kind: "retry", delayMs, attempt, firstFailureAt });
  }

  get #place(): string {
    const { queue, pattern, id } = this.#request;
    return JSON.stringify([queue === undefined ? id : [pattern, queue], this.id]);
  }

  #describe(attempt: number): string {
    return `message ${this.id} on ${this.topic}, attempt ${attempt}`;
  }

  #failed(code: "ERR_CONNECTION_LOST" | "ERR_DEAD_LETTER", what: string, cause: Error): BrokerError {
    const message = `Message ${this.id} on ${this.topic} ${what}: ${describeError(cause)}`;
    return new BrokerError(code, message, { driver: "memory", topic: this.topic, cause });
  }
}
