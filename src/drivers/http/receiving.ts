import type { Outcome } from "../../driver.ts";
import { BrokerError } from "../../errors.ts";
import { Bag } from "../../internal/bag.ts";
import { Deque } from "../../internal/deque.ts";
import { isTopic } from "../../topics.ts";
import { type Granter, Share } from "./places.ts";
import type { ReceivingSubscription, ReceivingSubscriptions } from "./receiving-subscriptions.ts";
import { RemoteDelivery, RemoteMessage, type Settler } from "./remote-delivery.ts";
import type { ByteReader } from "./wire/byte-reader.ts";
import { FRAME, MAX_LISTED, MAX_TOPICS, mostBytesOf, WireError } from "./wire/frames.ts";
import { type Settled, writeSettled } from "./wire/outcome-frame.ts";
import type { WireConnection } from "./wire/wire-connection.ts";

/**
 * As soon as so many messages are settled, or this part of its places, their sender hears of it: it has room then, and goes on
 * while the rest is handled.
 */
const SETTLED_AT_ONCE = { least: 64, share: 1 / 4 };

/** Outcomes that a sender may leave unheard, in frames; beyond that the oldest are forgotten. */
const MAX_UNHEARD = 100_000;

/** Outcomes in one frame. Acknowledgements are many, and go together. */
type OutcomeFrame = Settled | { readonly numbers: readonly number[]; readonly returned: boolean };

/**
 * What this process has of another's messages: it hands them to its subscriptions, and tells their sender what becomes of
 * them. It outlives connections: what the sender has not heard when one breaks, it hears on the next.
 */
export class Receiving implements Granter, Settler {
  readonly #subscriptions: ReceivingSubscriptions;
  readonly #shares = new Map<number, Share>();
  /** What is here. */
  readonly #here = new Bag<RemoteDelivery>();
  /** What has come since it was last looked at whether it stays. */
  #arrivals: RemoteDelivery[] = [];
  #looking = false;
  /** Acknowledgements that were not written yet: of places granted again, and of others. */
  #done: number[] = [];
  #doneKept: number[] = [];
  #others: Settled[] = [];
  #unwritten = 0;
  /** Outcomes that the sender may not have heard, oldest first, and how many of them went out on this connection. */
  readonly #unheard = new Deque<OutcomeFrame>();
  #told = 0;
  #received = 0;
  #receivedTold = 0;
  /** Shares with places that were not told yet. */
  #untold: Share[] = [];
  #topics: string[] = [];
  #message: RemoteMessage | undefined;
  #connection: WireConnection | undefined;
  #gone = false;
  readonly #maxMessageBytes: number;

  /** @param maxMessageBytes the largest message that the sender was told it may send */
  constructor(subscriptions: ReceivingSubscriptions, maxMessageBytes: number) {
    this.#subscriptions = subscriptions;
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Whether everything that was settled here is known to the sender. */
  get heard(): boolean {
    return this.#unheard.size === 0 && this.#unwritten === 0;
  }

  /** A connection is there: the sender hears again what it may have missed, and what is here. */
  attach(connection: WireConnection): void {
    this.#connection = connection;
    this.#topics = [];
    this.#message = undefined;
    const { writer } = connection;
    for (const frame of this.#unheard) {
      if ("outcome" in frame) writeSettled(writer, { ...frame, returned: false });
      else writer.ranges(FRAME.doneKept, frame.numbers, 0, frame.numbers.length);
    }
    this.#told = this.#unheard.size;
    this.#receivedTold = 0;
    this.beforeFlush();
    const holding = Array.from(this.#here, ({ number }) => number).sort((one, other) => one - other);
    for (let at = 0; at < holding.length; at += MAX_LISTED)
      writer.ranges(FRAME.holding, holding, at, Math.min(at + MAX_LISTED, holding.length));
  }

  /**
   * A subscription was told to the sender, one of so many. Members of a queue take turns, so that each sender is granted some
   * places of each from the beginning; others are granted when somebody sends.
   */
  offer(subscription: ReceivingSubscription, among: number): void {
    if (subscription.request.queue !== undefined) subscription.places.offer(this.#shareOf(subscription), among);
  }

  /** The connection is lost. What is here stays; what was granted is void. */
  detach(): void {
    this.#connection = undefined;
    this.#untold = [];
    this.#doneKept.push(...this.#done);
    this.#done = [];
    this.#others = this.#others.map((settled) => ({ ...settled, returned: false }));
    for (const share of this.#shares.values()) this.#subscriptions.get(share.index)?.places.suspend(share);
  }

  /** A subscription of this process has ended: nothing is granted there any more. */
  forget(index: number): void {
    this.#shares.delete(index);
  }

  /** The sender is gone: nobody hears what becomes of its messages. */
  leave(): void {
    this.detach();
    this.#gone = true;
  }

  /** Takes a frame that a sender sends. Returns whether it was one. */
  frame(type: number, reader: ByteReader): boolean {
    if (type === FRAME.message) this.#onMessage(reader);
    else if (type === FRAME.also) this.#onAlso(reader);
    else if (type === FRAME.heard) this.#onHeard(reader.number());
    else if (type === FRAME.want) this.#onWant(reader.number());
    else if (type === FRAME.giveBack) this.#onGiveBack(reader.number(), reader.number());
    else if (type === FRAME.topic) this.#onTopic(reader.number(), reader.restText());
    else return false;
    return true;
  }

  /** Writes what has accumulated. */
  beforeFlush(): void {
    const { writer } = this.#connection as WireConnection;
    if (this.#received > this.#receivedTold) {
      writer.numbers(FRAME.received, this.#received);
      this.#receivedTold = this.#received;
    }
    if (this.#unwritten > 0) {
      this.#writeDone(FRAME.done, this.#done, true);
      this.#writeDone(FRAME.doneKept, this.#doneKept, false);
      for (const settled of this.#others) {
        writeSettled(writer, settled);
        this.#remember(settled);
      }
      this.#done = [];
      this.#doneKept = [];
      this.#others = [];
      this.#unwritten = 0;
    }
    if (this.#untold.length === 0) return;
    for (const share of this.#untold) {
      if (share.untold > 0) writer.numbers(FRAME.grant, share.index, share.untold);
      share.untold = 0;
    }
    this.#untold = [];
  }

  settled(delivery: RemoteDelivery, outcome: Outcome): void | Promise<void> {
    if (!delivery.open) return;
    delivery.open = false;
    this.#here.delete(delivery);
    const returned = delivery.subscription.places.settle(delivery.share, this.#connection !== undefined);
    if (this.#gone) return Promise.reject(lost(delivery.topic, delivery.id));
    this.#tell(delivery.number, outcome, returned);
    const { prefetch } = delivery.subscription.request;
    if (this.#unwritten >= Math.max(SETTLED_AT_ONCE.least, prefetch * SETTLED_AT_ONCE.share)) this.#connection?.flush();
  }

  grant(share: Share, count: number): void {
    if (share.untold === 0) this.#untold.push(share);
    share.untold += count;
    this.#connection?.schedule();
  }

  recall(share: Share): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    // What it was granted just now must not arrive after it was asked to give it back.
    this.beforeFlush();
    connection.writer.numbers(FRAME.recall, share.index);
    connection.schedule();
  }

  #onTopic(number: number, topic: string): void {
    if (number >= MAX_TOPICS || !isTopic(topic)) throw new WireError("a topic is none, or there are too many");
    this.#topics[number] = topic;
  }

  #onMessage(reader: ByteReader): void {
    const number = reader.number();
    const index = reader.number();
    const topic = this.#topics[reader.number()];
    if (topic === undefined) throw new WireError("a message has a topic that was not told");
    const message = new RemoteMessage(topic, reader);
    const most = mostBytesOf(topic, this.#maxMessageBytes);
    if (message.size > most) throw new WireError(`a message has more than ${most} bytes of header and body`);
    this.#message = message;
    this.#arrived(number, index, message);
  }

  #onAlso(reader: ByteReader): void {
    const message = this.#message;
    if (message === undefined || message.attempt > 1) throw new WireError("there is no message to repeat");
    this.#arrived(reader.number(), reader.number(), message);
  }

  #arrived(number: number, index: number, message: RemoteMessage): void {
    if (number <= this.#received) throw new WireError("the numbers of messages do not grow");
    this.#received = number;
    const subscription = this.#subscriptions.get(index);
    // It has ended, and its end is on its way to the sender; or the sender is wrong, and hears it so.
    if (subscription === undefined || !subscription.wants(message.topic))
      return this.#tell(number, { kind: "release" }, false);
    const share = this.#shareOf(subscription);
    const delivery = new RemoteDelivery(message, number, subscription, share, this);
    this.#here.add(delivery);
    if (subscription.places.arrive(share)) subscription.request.deliver(delivery);
    else this.#arrivedLate(delivery);
    if (delivery.open) this.#mayStay(delivery);
    this.#connection?.schedule();
  }

  #arrivedLate(delivery: RemoteDelivery): void {
    const { subscription, share, number } = delivery;
    const refuse = () => {
      this.#here.delete(delivery);
      delivery.open = false;
      this.#tell(number, { kind: "release" }, false);
    };
    if (!subscription.places.arriveLate(share, () => subscription.request.deliver(delivery), refuse))
      throw new WireError("a message came that there was no place for");
  }

  #onWant(index: number): void {
    const subscription = this.#subscriptions.get(index);
    if (subscription !== undefined) subscription.places.want(this.#shareOf(subscription));
  }

  #onGiveBack(index: number, count: number): void {
    const share = this.#shares.get(index);
    if (share !== undefined) this.#subscriptions.get(index)?.places.giveBack(share, count);
  }

  #onHeard(count: number): void {
    if (count > this.#told) throw new WireError("more was heard than told");
    this.#told -= count;
    for (let left = count; left > 0; left -= 1) this.#unheard.shift();
  }

  #shareOf(subscription: ReceivingSubscription): Share {
    let share = this.#shares.get(subscription.index);
    if (share === undefined) {
      share = new Share(subscription.index, this);
      this.#shares.set(subscription.index, share);
    }
    return share;
  }

  #tell(number: number, outcome: Outcome, returned: boolean): void {
    if (this.#gone) return;
    if (outcome.kind !== "ack") this.#others.push({ number, outcome, returned });
    else if (returned) this.#done.push(number);
    else this.#doneKept.push(number);
    this.#unwritten += 1;
    this.#connection?.schedule();
  }

  #writeDone(type: number, numbers: readonly number[], returned: boolean): void {
    const { writer } = this.#connection as WireConnection;
    for (let at = 0; at < numbers.length; at += MAX_LISTED) {
      const part = numbers.length <= MAX_LISTED ? numbers : numbers.slice(at, at + MAX_LISTED);
      writer.ranges(type, part, 0, part.length);
      this.#remember({ numbers: part, returned });
    }
  }

  #remember(frame: OutcomeFrame): void {
    this.#unheard.push(frame);
    this.#told += 1;
    if (this.#unheard.size <= MAX_UNHEARD) return;
    this.#unheard.shift();
    this.#told -= 1;
  }

  // What a handler keeps beyond this turn must not hold the chunk that it came with, which may be much larger.
  #mayStay(delivery: RemoteDelivery): void {
    this.#arrivals.push(delivery);
    if (this.#looking) return;
    this.#looking = true;
    setImmediate(() => {
      this.#looking = false;
      const arrivals = this.#arrivals;
      this.#arrivals = [];
      for (const { open, message } of arrivals) if (open) message.detach();
    });
  }
}

function lost(topic: string, id: string): BrokerError {
  return new BrokerError(
    "ERR_CONNECTION_LOST",
    `The sender of message ${id} was gone before it could learn the outcome; the message may come again.`,
    { topic, driver: "http" },
  );
}
