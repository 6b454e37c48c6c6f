import type { NatsConnection } from "@nats-io/transport-node";
import { BrokerError } from "../../errors.ts";
import type { Clock, Timer } from "../../internal/clock.ts";
import { type Deferred, deferred } from "../../internal/deferred.ts";
import { flushed } from "./flushed.ts";

/** How long acks wait for a lost connection before they fail, in milliseconds. */
const GIVE_UP_AFTER_MS = 30_000;

const ACK: Uint8Array = Buffer.from("+ACK");

/** An ack on its way. */
export interface Ack {
  /** The delivery's ack subject. */
  readonly subject: string;
  /** The server has it. */
  answer(): void;
  /** Nobody knows. */
  fail(error: BrokerError): void;
}

/**
 * Acks of every member. The server is not asked to answer each, which would cost as much as the message: one PING at a time
 * follows them, and its PONG says that the server has read all that came before. What was not confirmed when the connection
 * broke is sent again on the next one; the server knows an ack that it has.
 */
export class Acks {
  readonly #connection: NatsConnection;
  readonly #clock: Clock;
  /** Not followed by a PING yet, in order. */
  #sent: Ack[] = [];
  /** Followed by the PING under way. */
  #asked: Ack[] = [];
  #asking = false;
  /** Counts connections: the PONG of an earlier one says nothing. */
  #epoch = 0;
  #up = true;
  /** Why nothing is sent any more. */
  #ended: string | undefined;
  #timer: Timer | undefined;
  #idle: Deferred<void> | undefined;

  constructor(connection: NatsConnection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
  }

  send(ack: Ack): void {
    if (this.#ended !== undefined) return ack.fail(lost(this.#ended));
    if (this.#up && !this.#written(ack)) return;
    this.#sent.push(ack);
    if (this.#up) this.#ask();
    else this.#arm();
  }

  /** The connection is lost: nothing is sent until `resume`. */
  pause(): void {
    this.#up = false;
    this.#beginAnew();
    if (this.#sent.length > 0) this.#arm();
  }

  /** The connection is back: what is not confirmed is sent again. */
  resume(): void {
    this.#up = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#beginAnew();
    this.#sent = this.#sent.filter((ack) => this.#written(ack));
    if (this.#sent.length > 0) this.#ask();
    else this.#rest();
  }

  /** Fails the acks of a subject that the server refuses: it has none of them. */
  refused(subject: string, error: BrokerError): void {
    for (const acks of [this.#asked, this.#sent])
      for (const ack of acks.filter((one) => one.subject === subject)) {
        acks.splice(acks.indexOf(ack), 1);
        ack.fail(error);
      }
    if (!this.#asking && this.#sent.length === 0) this.#rest();
  }

  /** Resolves when every ack is confirmed or failed. */
  settled(): Promise<void> {
    if (this.#sent.length === 0 && this.#asked.length === 0) return Promise.resolve();
    this.#idle ??= deferred();
    return this.#idle.promise;
  }

  /** Fails what is not confirmed, and what comes from now on. Idempotent. */
  close(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#timer?.cancel();
    this.#beginAnew();
    this.#failAll(reason);
  }

  #written(ack: Ack): boolean {
    try {
      this.#connection.publish(ack.subject, ACK);
      return true;
    } catch (error) {
      // The connection is closed, or somebody who has it closes it.
      ack.fail(lost((error as Error).message));
      return false;
    }
  }

  // Acks of one turn of the event loop, and those that come while a PING is under way, share the next PING.
  #ask(): void {
    if (this.#asking) return;
    this.#asking = true;
    const epoch = this.#epoch;
    queueMicrotask(() => {
      if (epoch !== this.#epoch) return;
      [this.#asked, this.#sent] = [this.#sent, []];
      flushed(this.#connection).then(
        () => this.#confirmed(epoch),
        () => {
          // The connection broke: `pause` and `resume`, or `close`, follow.
        },
      );
    });
  }

  #confirmed(epoch: number): void {
    if (epoch !== this.#epoch) return;
    const confirmed = this.#asked;
    this.#asked = [];
    this.#asking = false;
    for (const ack of confirmed) ack.answer();
    if (this.#sent.length > 0) this.#ask();
    else this.#rest();
  }

  #beginAnew(): void {
    this.#epoch += 1;
    this.#asking = false;
    this.#sent = [...this.#asked, ...this.#sent];
    this.#asked = [];
  }

  #arm(): void {
    this.#timer ??= this.#clock.after(GIVE_UP_AFTER_MS, () => {
      this.#timer = undefined;
      this.#failAll("the connection did not come back in time");
    });
  }

  #failAll(reason: string): void {
    const failed = this.#sent;
    this.#sent = [];
    for (const ack of failed) ack.fail(lost(reason));
    this.#rest();
  }

  #rest(): void {
    this.#idle?.resolve();
    this.#idle = undefined;
  }
}

function lost(reason: string): BrokerError {
  return new BrokerError("ERR_CONNECTION_LOST", `An ack to the NATS server failed: ${reason}.`, { driver: "nats" });
}
