import type { BrokerError } from "../../errors.ts";
import { type Clock, wallTime } from "../../internal/clock.ts";
import type { Ack, Acks } from "./acks.ts";
import type { Attempts } from "./attempts.ts";
import type { Link } from "./link.ts";
import { type DeliveryInfo, nak, WORKING } from "./native-delivery.ts";
import type { Requests } from "./requests.ts";

/** How long a consumer may not answer for a message given back, in milliseconds: then it is gone, with the message. */
const NAK_NOBODY_MS = 3_000;

/** A delivery that the server waits for. */
export interface Held extends DeliveryInfo {
  /** Of its latest delivery, as is `reply`. */
  delivered: number;
  reply: string;
  /** When the server last heard of it. */
  heardAt: number;
}

/** What is to be remembered of a message that is given back. */
export interface NextAttempt {
  readonly attempt: number;
  readonly firstFailureAt: number | undefined;
}

/** What {@link InHand} works with. */
export interface InHandHost {
  readonly requests: Requests;
  readonly acks: Acks;
  readonly attempts: Attempts;
  readonly link: Link;
  readonly clock: Clock;
  /** There is room for another message. */
  onRoom(): void;
}

/** The deliveries that a member has in hand, each until it is answered for. */
export class InHand {
  /** How many are not answered for. */
  unsettled = 0;
  readonly #host: InHandHost;
  /** By sequence number. */
  readonly #held = new Map<number, Held>();

  constructor(host: InHandHost) {
    this.#host = host;
  }

  /** Takes a delivery; `undefined` where its message is in hand already, delivered again after a lost connection. */
  take(info: DeliveryInfo, reply: string): Held | undefined {
    const known = this.#held.get(info.sequence);
    if (known !== undefined) {
      // Else what is remembered of it would leave out a delivery, which would count as an attempt of a process that died.
      // Servers before 2.10 give some deliveries the number of the one before.
      known.delivered = Math.max(info.delivered, known.delivered + 1);
      known.reply = reply;
      return undefined;
    }
    const held: Held = { ...info, reply, heardAt: this.#host.clock.now() };
    this.#held.set(info.sequence, held);
    this.unsettled += 1;
    return held;
  }

  /** Done with it. Resolves when the server knows. */
  ack(held: Held): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#host.acks.send(new HeldAck(this, held, resolve, reject));
      this.#room();
    });
  }

  /** Gives it back, to come again after a delay as the attempt said. Resolves when the server knows. */
  async again(held: Held, { attempt, firstFailureAt }: NextAttempt, delayMs: number): Promise<void> {
    const { attempts, clock } = this.#host;
    const startedAt = clock.now();
    const what = { delivered: held.delivered, attempt, firstFailureAt, at: wallTime(clock) + delayMs };
    try {
      await attempts.remember(held.sequence, what);
    } catch (error) {
      // The server delivers it again by itself once it hears no more of it.
      this.drop(held);
      throw error;
    }
    // It may be here again before the server says that it has taken it.
    this.#held.delete(held.sequence);
    await this.#nak(held, delayMs - (clock.now() - startedAt));
  }

  /** Forgets it without a word to the server. */
  drop(held: Held): void {
    this.#held.delete(held.sequence);
    this.#room();
  }

  /** Tells the server of everything that it has not heard of for so long. */
  keep(forMs: number): void {
    const { clock, link } = this.#host;
    const now = clock.now();
    for (const held of this.#held.values()) {
      if (now - held.heardAt < forMs) continue;
      held.heardAt = now;
      link.connection.publish(held.reply, WORKING);
    }
  }

  /** It is in hand no longer. */
  forget(held: Held): void {
    if (this.#held.get(held.sequence) === held) this.#held.delete(held.sequence);
  }

  #nak(held: Held, delayMs: number): Promise<void> {
    const payload = nak(delayMs);
    return new Promise((resolve, reject) => {
      const answer = (): true => {
        resolve();
        return true;
      };
      this.#host.requests.send({ subject: held.reply, payload, nobodyForMs: NAK_NOBODY_MS, answer, fail: reject });
      this.#room();
    });
  }

  #room(): void {
    this.unsettled -= 1;
    this.#host.onRoom();
  }
}

/** The ack of a delivery: the message counts as in hand until the server has it. */
class HeldAck implements Ack {
  readonly subject: string;
  readonly #inHand: InHand;
  readonly #held: Held;
  readonly #resolve: () => void;
  readonly #reject: (error: BrokerError) => void;

  constructor(inHand: InHand, held: Held, resolve: () => void, reject: (error: BrokerError) => void) {
    this.subject = held.reply;
    this.#inHand = inHand;
    this.#held = held;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  answer(): void {
    this.#inHand.forget(this.#held);
    this.#resolve();
  }

  fail(error: BrokerError): void {
    this.#inHand.forget(this.#held);
    this.#reject(error);
  }
}
