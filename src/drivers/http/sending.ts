import type { Outcome } from "../../driver.ts";
import { ACK } from "../../driver.ts";
import { BrokerError } from "../../errors.ts";
import { NumberedItems } from "../../internal/numbered-items.ts";
import type { Entry } from "../../outbox/entry.ts";
import { type Carrier, Member } from "../../outbox/member.ts";
import type { OutboxMessage } from "../../outbox/message.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import { laneOf } from "../../outbox/subscribe-local.ts";
import { deadLetterTopic, isDeadLetterTopic } from "../../topics.ts";
import { leaveLane } from "./leave-lane.ts";
import type { ByteReader } from "./wire/byte-reader.ts";
import { FRAME, mostBytesOf, WireError } from "./wire/frames.ts";
import { eachListed } from "./wire/number-list.ts";
import { readSettled } from "./wire/outcome-frame.ts";
import { type Announcement, readAnnouncement } from "./wire/subscribe-frame.ts";
import type { WireConnection } from "./wire/wire-connection.ts";

/** The shortest `ackTimeoutMs` that counts for a silent process, in milliseconds: it may be that busy. */
const LEAST_PATIENCE_MS = 10_000;

/** How long a process may be silent beyond that before its messages go to others, in milliseconds. */
const PATIENCE_GRACE_MS = 5_000;

/** How many frames of outcomes may be heard before that is confirmed with nothing else to send. */
const HEARD_AT_ONCE = 32;

/** When a dead letter that is too large for its reader is offered again, in milliseconds: another may read it by then. */
const TOO_LARGE_AGAIN_MS = 30_000;

/** What a {@link Sending} works with. */
export interface SendingParts {
  readonly outbox: Outbox;
  /** Milliseconds since the epoch, for dead letters. */
  readonly now: () => number;
  onError(error: BrokerError): void;
}

/** A subscription of another process, as this one sends to it. */
class RemoteSubscription implements Carrier {
  readonly pipelined = true;
  readonly announcement: Announcement;
  readonly member: Member;
  /** Whether it was told that messages wait. */
  wanting = false;
  /** Whether it was reported that it cannot read a dead letter. */
  toldTooLarge = false;
  /** Whether it was sent anything since it was last looked at whether it uses its places. */
  used = false;
  readonly #sending: Sending;

  constructor(announcement: Announcement, sending: Sending) {
    this.announcement = announcement;
    this.#sending = sending;
    this.member = new Member(announcement.id, 0, this);
  }

  offer(entry: Entry): void {
    this.used = true;
    this.#sending.send(this, entry);
  }

  starve(): void {
    if (!this.wanting && this.member.room === 0) this.#sending.want(this);
  }
}

/**
 * What this process sends to another: to each of its subscriptions as far as that has granted places. It outlives
 * connections: what was sent and not settled when one breaks, is compared with what the other side has on the next.
 */
export class Sending {
  readonly #parts: SendingParts;
  readonly #subscriptions = new Map<number, RemoteSubscription>();
  /** What was sent and is not settled, by the number of its handing-over. */
  readonly #unsettled = new NumberedItems<Entry>();
  /** The number of the last handing-over, and of the last that the other side has said it has. */
  #last = 0;
  #received = 0;
  #lastMessage: OutboxMessage | undefined;
  /** What was taken back although the other side may have it. */
  readonly #takenBack = new Map<number, { readonly subscription: RemoteSubscription; readonly entry: Entry }>();
  /** Outcomes heard and not confirmed yet, in frames. */
  #heard = 0;
  /** The connection, once the other side has told everything that it has. */
  #connection: WireConnection | undefined;
  /** What the other side says it has, and the subscriptions it has told of, while it tells. */
  #holding = new Set<number>();
  #announced = new Set<number>();

  constructor(parts: SendingParts) {
    this.#parts = parts;
  }

  /** Whether the other process has anything of this one's, or should have. */
  get busy(): boolean {
    return this.#unsettled.size > 0;
  }

  /** The subscriptions that the other process has told of. */
  announcements(): Announcement[] {
    return [...this.#subscriptions.values()].map(({ announcement }) => announcement);
  }

  /** A connection is there. The other side tells first what it has. */
  attach(): void {
    this.#holding = new Set();
    this.#announced = new Set();
    this.#heard = 0;
    this.#lastMessage = undefined;
  }

  /** The connection is lost. What was sent stays with the other side, until more is known. */
  detach(): void {
    this.#connection = undefined;
    for (const subscription of this.#subscriptions.values()) {
      subscription.member.room = 0;
      subscription.wanting = false;
    }
  }

  /** Takes a frame that a receiver sends. Returns whether it was one. */
  frame(type: number, reader: ByteReader, connection: WireConnection): boolean {
    if (type === FRAME.done) this.#onDone(reader, true);
    else if (type === FRAME.doneKept) this.#onDone(reader, false);
    else if (type === FRAME.received) this.#onReceived(reader.number());
    else if (type === FRAME.grant) this.#onGrant(reader.number(), reader.number());
    else if (type === FRAME.settled) this.#onSettled(reader);
    else if (type === FRAME.recall) this.#onRecall(reader.number());
    else if (type === FRAME.subscribe) this.#onSubscribe(readAnnouncement(reader));
    else if (type === FRAME.unsubscribe) this.#onUnsubscribe(reader.number());
    else if (type === FRAME.holding) eachListed(reader, (number) => this.#holding.add(number));
    else if (type === FRAME.ready) this.#onReady(connection);
    else return false;
    return true;
  }

  /** Whether the other side should hear by now what this one has heard. */
  get hasHeard(): boolean {
    return this.#heard >= HEARD_AT_ONCE;
  }

  /** Writes what has accumulated. */
  beforeFlush({ writer }: WireConnection): void {
    if (this.#heard === 0) return;
    writer.numbers(FRAME.heard, this.#heard);
    this.#heard = 0;
  }

  /** Sends a message that its subscription has a place for. */
  send(subscription: RemoteSubscription, entry: Entry): void {
    const connection = this.#connection as WireConnection;
    const { message } = entry;
    if (message.bytes > mostBytesOf(message.topic, connection.terms.maxMessageBytes))
      return this.#tooLarge(subscription, entry, connection);
    this.#last += 1;
    const number = this.#last;
    entry.handover = number;
    this.#unsettled.set(number, entry);
    const { attempt, firstFailureAt } = entry;
    const { index } = subscription.announcement;
    const isFirst = attempt === 1 && firstFailureAt === undefined;
    if (isFirst && message === this.#lastMessage) connection.writer.numbers(FRAME.also, number, index);
    else {
      connection.writer.message(number, index, message.content, attempt, firstFailureAt);
      this.#lastMessage = isFirst ? message : undefined;
    }
    connection.schedule();
  }

  /** Messages wait for a place. */
  want(subscription: RemoteSubscription): void {
    if (this.#connection === undefined) return;
    subscription.wanting = true;
    this.#connection.writer.numbers(FRAME.want, subscription.announcement.index);
    this.#connection.schedule();
  }

  /** Gives back places that were not used since the last call: others may want them. */
  giveBackUnused(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    for (const subscription of this.#subscriptions.values()) {
      // A member of a queue keeps one, so that it has its turn when there is something again.
      const kept = subscription.announcement.queue === undefined ? 0 : 1;
      const count = subscription.member.room - kept;
      if (!subscription.used && count > 0) this.#giveBack(subscription, count, connection);
      subscription.used = false;
    }
  }

  /** The socket takes more again. */
  drained(): void {
    for (const { member } of this.#subscriptions.values())
      if (member.lane !== undefined && member.room > 0) this.#parts.outbox.dispatch(member.lane);
  }

  /**
   * The other process has been silent for a while, over a connection or without one. What it has not received goes to other
   * members of its queue, where there are any; what it has received does so too once it has been silent for longer than its
   * handlers may take, and has then used an attempt.
   */
  impatient(silentMs: number): void {
    const passed = (entry: Entry): boolean => {
      if (entry.member === undefined || !hasOthers(entry)) return false;
      if (entry.state === "offered") return true;
      const { ackTimeoutMs } = (entry.carrier as RemoteSubscription).announcement;
      return silentMs > Math.max(ackTimeoutMs, LEAST_PATIENCE_MS) + PATIENCE_GRACE_MS;
    };
    this.#takeBack(passed);
  }

  /** The other process goes on, and has what was taken back from it: what nobody else has got meanwhile stays with it. */
  goesOn(): void {
    const { outbox } = this.#parts;
    for (const [number, { subscription, entry }] of this.#takenBack) {
      if (entry.handover !== number || !outbox.reclaim(entry, subscription.member)) continue;
      this.#takenBack.delete(number);
      this.#unsettled.set(number, entry);
      if (number <= this.#received) outbox.accept(entry);
    }
  }

  /** The other process does not run any more, and has not said that it leaves: what it was sent goes to others, and has used an attempt. */
  lose(): void {
    // One that ended while a handler ran may not have come to say that it has the message, which ended it perhaps.
    this.#takeBack(
      () => true,
      () => true,
    );
    this.#takenBack.clear();
  }

  /** The other process is gone for good, and its subscriptions with it. `said`: by its own word, and what it has not taken it never began. */
  leave(said: boolean): void {
    this.detach();
    if (said) this.#takeBack(() => true);
    this.lose();
    for (const subscription of [...this.#subscriptions.values()]) this.#remove(subscription);
  }

  /** Takes back what `passes`, in the order of sending. */
  #takeBack(passes: (entry: Entry) => boolean, counted = (entry: Entry) => entry.state === "accepted"): void {
    const entries: Entry[] = [];
    for (const [number, entry] of this.#unsettled) {
      if (entry.handover !== number || !passes(entry)) continue;
      this.#unsettled.delete(number);
      this.#takenBack.set(number, { subscription: entry.carrier as RemoteSubscription, entry });
      entries.push(entry);
    }
    if (entries.length > 0) this.#parts.outbox.takeBack(entries, counted);
  }

  #onDone(reader: ByteReader, returned: boolean): void {
    this.#heard += 1;
    eachListed(reader, (number) => this.#settle(number, ACK, returned));
  }

  #onSettled(reader: ByteReader): void {
    this.#heard += 1;
    const { number, outcome, returned } = readSettled(reader);
    this.#settle(number, outcome, returned);
  }

  #settle(number: number, outcome: Outcome, returned: boolean): void {
    const entry = this.#unsettled.get(number);
    if (entry === undefined) return this.#settleTakenBack(number, returned);
    this.#unsettled.delete(number);
    if (entry.handover !== number) return;
    if (returned) this.#addRoom(entry.carrier as RemoteSubscription, 1);
    this.#parts.outbox.settle(entry, outcome);
  }

  #settleTakenBack(number: number, returned: boolean): void {
    const subscription = this.#takenBack.get(number)?.subscription;
    this.#takenBack.delete(number);
    if (subscription === undefined || !returned) return;
    this.#addRoom(subscription, 1);
    if (subscription.member.lane !== undefined) this.#parts.outbox.dispatch(subscription.member.lane);
  }

  #onReceived(upTo: number): void {
    if (upTo > this.#last) {
      if (this.#connection !== undefined) throw new WireError("more was received than sent");
      // It remembers this process from before, which this one does not of it: the numbers go on from there.
      this.#last = upTo;
      this.#received = upTo;
    }
    const { outbox } = this.#parts;
    for (let number = this.#received + 1; number <= upTo; number += 1) {
      const entry = this.#unsettled.get(number);
      if (entry?.handover === number && entry.state === "offered") outbox.accept(entry);
    }
    this.#received = Math.max(this.#received, upTo);
  }

  #onGrant(index: number, count: number): void {
    // Nothing can be sent there yet.
    if (this.#connection === undefined) throw new WireError("places were granted before all was told");
    const subscription = this.#subscriptions.get(index);
    if (subscription === undefined) return;
    this.#addRoom(subscription, count);
    if (subscription.member.lane !== undefined) this.#parts.outbox.dispatch(subscription.member.lane);
  }

  #addRoom(subscription: RemoteSubscription, count: number): void {
    subscription.member.room += count;
    subscription.wanting = false;
  }

  #onRecall(index: number): void {
    const subscription = this.#subscriptions.get(index);
    if (subscription === undefined || this.#connection === undefined) return;
    this.#giveBack(subscription, subscription.member.room, this.#connection);
  }

  #giveBack(subscription: RemoteSubscription, count: number, connection: WireConnection): void {
    connection.writer.numbers(FRAME.giveBack, subscription.announcement.index, count);
    subscription.member.room -= count;
    connection.schedule();
  }

  #onSubscribe(announcement: Announcement): void {
    this.#announced.add(announcement.index);
    if (this.#subscriptions.has(announcement.index)) return;
    const { outbox } = this.#parts;
    const subscription = new RemoteSubscription(announcement, this);
    this.#subscriptions.set(announcement.index, subscription);
    if (this.#connection !== undefined) subscription.member.flow = this.#connection.flow;
    outbox.addMember(laneOf(outbox, announcement), subscription.member);
  }

  #onUnsubscribe(index: number): void {
    const subscription = this.#subscriptions.get(index);
    if (subscription !== undefined) this.#remove(subscription);
  }

  #remove(subscription: RemoteSubscription): void {
    this.#subscriptions.delete(subscription.announcement.index);
    leaveLane(this.#parts.outbox, subscription.member);
  }

  // The other side has told everything: what it does not have, and has no outcome of, it never got.
  #onReady(connection: WireConnection): void {
    this.#connection = connection;
    for (const subscription of [...this.#subscriptions.values()]) {
      if (!this.#announced.has(subscription.announcement.index)) this.#remove(subscription);
      subscription.member.flow = connection.flow;
    }
    const { outbox } = this.#parts;
    for (const number of this.#takenBack.keys()) if (!this.#holding.has(number)) this.#takenBack.delete(number);
    this.goesOn();
    const missing: Entry[] = [];
    for (const [number, entry] of this.#unsettled) {
      if (entry.handover !== number) this.#unsettled.delete(number);
      else if (!this.#holding.has(number)) {
        this.#unsettled.delete(number);
        missing.push(entry);
      } else if (entry.state === "offered") outbox.accept(entry);
    }
    outbox.takeBack(missing, () => false);
    for (const { member } of this.#subscriptions.values()) if (member.lane !== undefined) outbox.dispatch(member.lane);
  }

  #tooLarge(subscription: RemoteSubscription, entry: Entry, { terms }: WireConnection): void {
    const { topic, attempt, firstFailureAt } = entry;
    const { outbox, now, onError } = this.#parts;
    const reason = `${terms.address} takes no message of more than ${terms.maxMessageBytes} bytes`;
    subscription.member.room += 1;
    if (!isDeadLetterTopic(topic)) {
      const at = now();
      const firstAt = firstFailureAt ?? at;
      const to = deadLetterTopic(topic);
      return outbox.settle(entry, { kind: "dead", to, reason, attempts: attempt - 1, firstAt, lastAt: at });
    }
    // It stays where it is, as any dead letter whose reader fails.
    outbox.settle(entry, { kind: "retry", delayMs: TOO_LARGE_AGAIN_MS, attempt, firstFailureAt });
    if (subscription.toldTooLarge) return;
    subscription.toldTooLarge = true;
    const message = `Dead letters on ${topic} stay, too large for their reader: ${reason}.`;
    onError(new BrokerError("ERR_MESSAGE_TOO_LARGE", message, { driver: "http", topic }));
  }
}

/** Whether another member may take the message. */
function hasOthers({ lane }: Entry): boolean {
  return lane.members.length > 1;
}
