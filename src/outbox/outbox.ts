import type { Dead, Outcome, Publication } from "../driver.ts";
import { type Clock, wallTime } from "../internal/clock.ts";
import { Answers, noSubscribers } from "./answers.ts";
import { Arrivals } from "./arrivals.ts";
import { Backlog } from "./backlog.ts";
import { Batch } from "./batch.ts";
import { deadLetterContent } from "./dead-letter-content.ts";
import { Delays } from "./delays.ts";
import { Entry } from "./entry.ts";
import { Handover } from "./handover.ts";
import type { Journal } from "./journal.ts";
import type { Lane } from "./lane.ts";
import { Lanes } from "./lanes.ts";
import type { Member } from "./member.ts";
import { type MessageContent, OutboxMessage } from "./message.ts";
import type { OutboxOptions } from "./outbox-options.ts";
import { Sweep } from "./sweep.ts";
import { Unwanted } from "./unwanted.ts";
import { Watchers } from "./watchers.ts";

/**
 * The store-and-forward engine behind the drivers that have no server: it keeps each message until every destination has
 * settled it. A destination is a {@link Lane}: a queue, or one broadcast subscription. Its {@link Member}s take messages
 * in order as far as they have room; what fails comes back after its delay, to any member; what failed for good moves to
 * its dead-letter topic in one step.
 */
export class Outbox {
  readonly lanes: Lanes;
  readonly backlog: Backlog;
  readonly clock: Clock;
  readonly #options: OutboxOptions;
  readonly #handover: Handover;
  readonly #delays: Delays;
  readonly #answers: Answers;
  readonly #unwanted = new Unwanted();
  readonly #watchers = new Watchers();
  #sequence = 0;
  #closed = false;
  readonly #sweep: Sweep;
  readonly #journal: Journal | undefined;
  /** Only with a journal. */
  readonly #arrivals: Arrivals | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.#journal = options.journal;
    this.lanes = new Lanes(this, options.journal);
    this.#sweep = new Sweep(options.clock, options.maxAgeMs, (oldest) => this.#giveUpOlderThan(oldest));
    this.#delays = new Delays(options.clock, (lane) => this.dispatch(lane));
    this.backlog = new Backlog(options);
    this.#answers = new Answers(options.clock);
    this.#handover = new Handover(this.#answers);
    this.#arrivals =
      options.journal &&
      new Arrivals({
        journal: options.journal,
        lanes: this.lanes,
        route: (message, lanes) => this.#route([message], lanes, 0),
        forget: (message) => this.#forget(message),
        onArrival: () => this.#watchers.notify(),
      });
  }

  /** How many messages it keeps. */
  get messages(): number {
    return this.backlog.messages;
  }

  /** Whether it keeps nothing that this process published, and of what others left only what nobody is there to take. */
  get flushed(): boolean {
    return this.backlog.messages === this.backlog.adopted && this.idle;
  }

  /** How many bytes of messages it keeps. */
  get bytes(): number {
    return this.backlog.bytes;
  }

  /** Takes charge of messages, or fails them. */
  publish(publications: readonly Publication[], acceptTimeoutMs: number, owner?: object): void {
    const now = this.clock.now();
    const batch = new Batch({
      oneByOne: this.#options.oneByOne === true,
      destinations: (topic) => this.lanes.destinations(topic),
      take: (messages, lanes) => this.#take(messages, lanes, acceptTimeoutMs),
    });
    for (const publication of publications) {
      const { topic, bytes } = publication;
      batch.endUnlessFor(topic);
      if (!this.backlog.hasRoom(bytes)) {
        batch.end();
        this.backlog.ask(publication, () => this.#admit(publication, acceptTimeoutMs, owner), owner);
        continue;
      }
      const lanes = batch.destinations(topic);
      if (lanes.length > 0 || this.#isKept(publication)) batch.add(this.#message(publication, publication, owner, now));
    }
    batch.end();
  }

  /** Puts a message into one lane only: it was sent to that subscription. */
  publishTo(lane: Lane, publication: Publication, acceptTimeoutMs: number): void {
    this.backlog.ask(publication, () => {
      // It may have waited for room.
      if (!this.lanes.has(lane)) return publication.fail(noSubscribers(publication));
      this.#take([this.#message(publication, publication)], [lane], acceptTimeoutMs);
    });
  }

  /** Removes a lane with everything in it; returns the messages that only it still wanted. */
  removeLane(lane: Lane, reason: string | undefined): OutboxMessage[] {
    if (!this.lanes.has(lane)) return [];
    this.lanes.delete(lane);
    const given: OutboxMessage[] = [];
    for (const entry of [...lane.entries()]) {
      this.#detach(entry);
      if (entry.message.holders === 1) given.push(entry.message);
      this.#finish(entry);
      if (reason !== undefined) this.#reportGivenUp(entry, reason);
    }
    lane.clear();
    this.#journal?.laneRemoved(lane);
    return given;
  }

  addMember(lane: Lane, member: Member): void {
    lane.add(member);
    const waiting = this.#unwanted.take(lane.pattern);
    for (const message of waiting.reverse()) {
      lane.giveBack(new Entry(message, lane));
      this.#journal?.wanted(message, lane);
    }
    // A dead letter waits for the reader that failed on it, not for another one.
    if (lane.kind === "standing") for (const entry of [...lane.delayed]) this.#delays.end(entry);
    this.dispatch(lane);
  }

  /** Takes a member out; what it holds goes back, at the cost of an attempt if `counted`. */
  removeMember(member: Member, counted: boolean): void {
    const { lane } = member;
    if (lane === undefined) return;
    member.leave();
    lane.delete(member);
    for (const entry of member.inOrder().reverse()) this.#putBack(entry, counted && entry.state === "accepted");
    if (!lane.live) for (const entry of lane.entries()) this.#answers.settle(entry, false);
    if (lane.kind === "standing") this.#dropIfEmpty(lane);
    this.dispatch(lane);
    this.#watchers.notify();
  }

  /** A member has taken what it was offered. */
  accept(entry: Entry): void {
    if (this.#closed || entry.state !== "offered" || entry.member === undefined) return;
    entry.state = "accepted";
    const { member } = entry;
    this.#answers.settle(entry, true);
    if (member.pipelined) return;
    member.offering = false;
    if (member.lane !== undefined) this.dispatch(member.lane);
  }

  /** A member has not taken what it was offered, and wants nothing for `pauseMs`. */
  refuse(entry: Entry, pauseMs: number): void {
    const { member } = entry;
    if (this.#closed || entry.state !== "offered" || member === undefined) return;
    this.#putBack(entry, false);
    this.#delays.pause(member, pauseMs);
    this.#watchers.notify();
  }

  /** A member was lost with a message in its hands: the message goes to another, at the cost of an attempt if `counted`. */
  lose(entry: Entry, counted: boolean, pauseMs: number): void {
    const { member } = entry;
    if (this.#closed || member === undefined) return;
    this.#putBack(entry, counted);
    this.#delays.pause(member, pauseMs);
    this.#watchers.notify();
  }

  /** Takes back entries that members hold, given in the order in which they were handed over, at the cost of an attempt where `counted` says so. */
  takeBack(entries: readonly Entry[], counted: (entry: Entry) => boolean): void {
    this.hold();
    for (const entry of entries.toReversed()) {
      if (this.#closed || entry.member === undefined) continue;
      this.#putBack(entry, counted(entry));
      this.dispatch(entry.lane);
    }
    this.release();
    this.#watchers.notify();
  }

  /** A member has what was taken back from it, after all. Returns false where it has gone to another meanwhile. */
  reclaim(entry: Entry, member: Member): boolean {
    if (this.#closed || entry.state !== "ready" || entry.lane !== member.lane) return false;
    entry.lane.remove(entry);
    member.take(entry);
    return true;
  }

  /** Nothing is handed over until `release`: much is about to change, and each lane is looked at once after it. May be nested. */
  hold(): void {
    this.#handover.hold();
  }

  /** Hands over what `hold` put off. */
  release(): void {
    this.#handover.release();
  }

  /** Carries out what a subscription decided. An answer for a message that the member no longer holds changes nothing. */
  settle(entry: Entry, outcome: Outcome): void {
    if (this.#closed || entry.member === undefined) return;
    if (entry.state === "offered") this.accept(entry);
    // Who heard of the acceptance may have ended it.
    if (entry.member === undefined) return;
    this.#detach(entry);
    const { lane, inHand } = entry;
    switch (outcome.kind) {
      case "ack":
        this.#finish(entry);
        break;
      case "release":
        entry.state = "ready";
        lane.giveBack(entry);
        if (inHand) this.#journal?.changed(entry);
        break;
      case "retry":
        entry.attempt = outcome.attempt;
        entry.firstFailureAt = outcome.firstFailureAt;
        this.#delays.delay(entry, outcome.delayMs);
        this.#journal?.changed(entry);
        break;
      case "dead":
        if (outcome.to !== false) this.#moveToDeadLetters(entry, outcome, outcome.to);
        this.#finish(entry);
        break;
    }
    this.dispatch(lane);
    this.#watchers.notify();
  }

  /** Hands over what is in line, as far as there is room. */
  dispatch(lane: Lane): void {
    this.#handover.dispatch(lane);
  }

  /** Resolves when `condition` holds, looked at whenever a message is done or a lane changes; rejects when the signal is aborted. */
  when(condition: () => boolean, signal?: AbortSignal): Promise<void> {
    return this.#watchers.when(condition, signal);
  }

  /** Whether nothing is on its way to a live target. */
  get idle(): boolean {
    return (this.#arrivals?.size ?? 0) === 0 && !this.lanes.all().some((lane) => lane.live && lane.size > 0);
  }

  /** Answers whoever still waits, and stops all timers. Messages stay to be counted; answers that come later change nothing. */
  close(): void {
    this.#closed = true;
    this.#arrivals?.close();
    this.#delays.clear();
    this.#answers.close();
    this.#sweep.stop();
    this.backlog.close();
    for (const lane of this.lanes.all()) for (const entry of lane.entries()) entry.message.answer("waiting");
  }

  /** When the oldest message that it keeps was published, in milliseconds since the epoch; `Infinity` without any. */
  get oldestAt(): number {
    return this.lanes.all().reduce((oldestAt, lane) => Math.min(oldestAt, lane.oldestAt), this.#unwanted.oldestAt);
  }

  /** How many messages wait for a first subscriber, by topic. */
  get unwanted(): readonly (readonly [string, number])[] {
    return this.#unwanted.counts();
  }

  /** Drops one entry that is in no member's hands; returns whether it was. */
  drop(entry: Entry): boolean {
    if (!entry.waits) return false;
    entry.lane.remove(entry);
    this.#finish(entry);
    return true;
  }

  /** Drops one entry as `drop` does, and reports it. */
  giveUp(entry: Entry, reason: string): void {
    if (this.drop(entry)) this.#reportGivenUp(entry, reason);
  }

  /** Puts a message into a lane as if it were new there. */
  insert(lane: Lane, content: MessageContent, owner: object | undefined): void {
    const message = this.#message(content, undefined, owner);
    this.#journal?.store(message, [lane]);
    this.#route([message], [lane], 0);
  }

  #admit(publication: Publication, acceptTimeoutMs: number, owner: object | undefined): void {
    const lanes = this.lanes.destinations(publication.topic);
    if (lanes.length === 0 && !this.#isKept(publication)) return;
    this.#take([this.#message(publication, publication, owner)], lanes, acceptTimeoutMs);
  }

  /** Whether a message that nobody wants is kept. Answers its publisher where it is not. */
  #isKept(publication: Publication): boolean {
    if (publication.mandatory) publication.fail(noSubscribers(publication));
    else if (!this.#options.keepsUnwanted) publication.confirm("unrouted");
    else return true;
    return false;
  }

  /** Where there is a journal, a message is in it before anybody gets it. */
  #take(messages: readonly OutboxMessage[], lanes: readonly Lane[], acceptTimeoutMs: number): void {
    if (this.#arrivals === undefined) this.#route(messages, lanes, acceptTimeoutMs);
    else for (const message of messages) this.#arrivals.take(message, lanes);
  }

  /** Takes a message back that a journal kept, with what became of it for each lane that still wants it. */
  restore(message: OutboxMessage, kept: readonly Entry[]): void {
    this.backlog.add(message);
    const wanting = kept.length > 0 ? [] : this.lanes.wanting(message.topic).filter((lane) => lane.live);
    for (const lane of wanting) this.#journal?.wanted(message, lane);
    const entries = [...kept, ...wanting.map((lane) => new Entry(message, lane))];
    message.holders = Math.max(1, entries.length);
    if (entries.length === 0) this.#unwanted.add(message);
    for (const entry of entries) {
      const { lane, dueAt } = entry;
      const delayMs = dueAt - this.clock.now();
      if (delayMs > 0) this.#delays.delay(entry, delayMs);
      else (entry.attempt > 1 ? lane.due : lane.ready).push(entry);
    }
    for (const { lane } of entries) this.dispatch(lane);
    this.#sweep.arm();
  }

  /** Calls `then` at once; or, for a message that its process may have died of, when it is written down who has it. */
  beforeHandling(entry: Entry, then: () => void): void {
    if (!entry.restored || this.#journal === undefined) return then();
    this.#journal.changed(entry, then);
  }

  /** The next place in the order of publishing. */
  nextSequence(): number {
    return this.#sequence++;
  }

  #message(content: MessageContent, publication?: Publication, owner?: object, now = this.clock.now()): OutboxMessage {
    const message = new OutboxMessage(content, this.nextSequence(), now, publication, owner);
    this.backlog.add(message);
    return message;
  }

  /** Messages that their publishers wait for all, or none of them, go into the lanes, in order, and are handed over. */
  #route(messages: readonly OutboxMessage[], lanes: readonly Lane[], acceptTimeoutMs: number): void {
    for (const message of messages) {
      message.holders = Math.max(1, lanes.length);
      if (lanes.length === 0) this.#unwanted.add(message);
    }
    for (const lane of lanes) {
      if (this.#answers.expect(messages, lane)) lane.ready.pushNew(messages);
      else for (const message of messages) lane.ready.push(new Entry(message, lane));
    }
    for (const lane of lanes) {
      this.dispatch(lane);
      lane.ready.gather();
    }
    for (const message of messages) {
      this.#answers.expected(message, message.publishedAt + acceptTimeoutMs);
      if (message.holders > 0) this.#sweep.arm();
    }
  }

  #detach(entry: Entry): void {
    const { member } = entry;
    if (member === undefined) return;
    if (entry.state === "offered" && !member.pipelined) member.offering = false;
    member.entries.delete(entry);
    entry.member = undefined;
  }

  #putBack(entry: Entry, counted: boolean): void {
    this.#detach(entry);
    const { inHand } = entry;
    if (counted) {
      entry.attempt += 1;
      entry.firstFailureAt ??= wallTime(this.clock);
    }
    entry.state = "ready";
    entry.lane.giveBack(entry);
    if (counted || inHand) this.#journal?.changed(entry);
  }

  #moveToDeadLetters(entry: Entry, dead: Dead, to: string): void {
    const letter = this.#message(deadLetterContent(entry, dead, to), undefined, entry.message.owner);
    const lanes = this.lanes.destinations(to);
    this.#journal?.store(letter, lanes);
    this.#route([letter], lanes, 0);
  }

  #finish(entry: Entry): void {
    entry.state = "done";
    this.#answers.settle(entry, false);
    const { message, lane } = entry;
    message.holders -= 1;
    this.#journal?.finished(message, lane.id);
    if (message.holders === 0) this.#forget(message);
    if (lane.kind === "standing") this.#dropIfEmpty(lane);
    this.#watchers.notify();
  }

  #forget(message: OutboxMessage): void {
    this.backlog.remove(message);
    if (this.backlog.messages > 0) return;
    this.#sweep.rest();
    this.#answers.rest();
  }

  #dropIfEmpty(lane: Lane): void {
    if (lane.members.length === 0 && lane.size === 0) this.removeLane(lane, undefined);
  }

  #giveUpOlderThan(oldest: number): void {
    const reason = `older than ${this.#options.maxAgeMs} ms`;
    for (const lane of this.lanes.all()) for (const entry of lane.waitingSince(oldest)) this.giveUp(entry, reason);
    for (const message of this.#unwanted.takeOlderThan(oldest)) {
      message.holders -= 1;
      this.#journal?.finished(message, undefined);
      this.#forget(message);
      this.#options.onGiveUp({ topic: message.topic, id: message.id, reason });
    }
    if (this.messages > 0) this.#sweep.arm();
  }

  #reportGivenUp(entry: Entry, reason: string): void {
    this.#options.onGiveUp({ topic: entry.topic, id: entry.id, queue: entry.lane.queue, reason });
  }
}
