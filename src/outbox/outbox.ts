import { deadLetterHeader } from "../dead-letter.ts";
import type { Dead, GivenUp, Outcome, Publication } from "../driver.ts";
import { BrokerError } from "../errors.ts";
import { Agenda } from "../internal/agenda.ts";
import type { Clock, Timer } from "../internal/clock.ts";
import { messageBytes } from "../message.ts";
import { TopicIndex } from "../topic-index.ts";
import { isDeadLetterTopic } from "../topics.ts";
import { Answers } from "./answers.ts";
import { Backlog, type BacklogLimits } from "./backlog.ts";
import { Entry } from "./entry.ts";
import { Lane, type LaneKind } from "./lane.ts";
import type { Member } from "./member.ts";
import { type MessageContent, OutboxMessage } from "./message.ts";
import { Unwanted } from "./unwanted.ts";

/** What an {@link Outbox} needs to know. A publish beyond the bounds fails or waits; dead letters and retries always fit. */
export interface OutboxOptions extends BacklogLimits {
  readonly clock: Clock;
  /** How long a message is kept that no member has, in milliseconds. */
  readonly maxAgeMs: number;
  /** Whether messages that nobody wants are kept for the first subscriber. Dead letters always are. */
  readonly keepsUnwanted: boolean;
  onGiveUp(message: GivenUp): void;
}

/** How often old messages are looked for: a twentieth of their age, but between a second and a minute. */
const SWEEP_MS = { share: 20, least: 1_000, most: 60_000 };

/**
 * The store-and-forward engine behind the drivers that have no server: it keeps each message until every destination has
 * settled it. A destination is a {@link Lane}: a queue, or one broadcast subscription. Its {@link Member}s take messages
 * in order as far as they have room; what fails comes back after its delay, to any member; what failed for good moves to
 * its dead-letter topic in one step.
 */
export class Outbox {
  readonly lanes: Map<string, Lane> = new Map();
  readonly #options: OutboxOptions;
  readonly #index = new TopicIndex<Lane>();
  readonly #agenda: Agenda;
  readonly #backlog: Backlog;
  readonly #answers: Answers;
  readonly #unwanted = new Unwanted();
  #watchers: (() => void)[] = [];
  #sequence = 0;
  #closed = false;
  #sweep: Timer | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#agenda = new Agenda(options.clock);
    this.#backlog = new Backlog(options);
    this.#answers = new Answers(options.clock);
  }

  /** How many messages it keeps. */
  get messages(): number {
    return this.#backlog.messages;
  }

  /** How many bytes of messages it keeps. */
  get bytes(): number {
    return this.#backlog.bytes;
  }

  /** Takes charge of a message, or fails it. */
  publish(publication: Publication, acceptTimeoutMs: number, owner?: object): void {
    this.#backlog.ask(
      publication.topic,
      publication.bytes,
      () => this.#admit(publication, acceptTimeoutMs, owner),
      (error) => publication.fail(error),
    );
  }

  /** Puts a message into one lane only: it was sent to that subscription. */
  publishTo(lane: Lane, publication: Publication, acceptTimeoutMs: number): void {
    this.#backlog.ask(
      publication.topic,
      publication.bytes,
      () => this.#route(this.#message(publication, publication), [lane], acceptTimeoutMs),
      (error) => publication.fail(error),
    );
  }

  /** The lane of this id, made if it is new. */
  lane(id: string, kind: LaneKind, pattern: string, queue: string | undefined): Lane {
    const known = this.lanes.get(id);
    if (known !== undefined) return known;
    const lane = new Lane(id, kind, pattern, queue);
    this.lanes.set(id, lane);
    this.#index.add(pattern, lane);
    return lane;
  }

  /** Removes a lane and what waits in it; resolves with the messages that only it still wanted. */
  removeLane(lane: Lane, reason: string | undefined): OutboxMessage[] {
    if (this.lanes.get(lane.id) !== lane) return [];
    this.lanes.delete(lane.id);
    this.#index.remove(lane.pattern, lane);
    const given: OutboxMessage[] = [];
    for (const entry of [...lane.entries()]) {
      this.#detach(entry);
      if (reason !== undefined) this.#reportGivenUp(entry, reason);
      if (entry.message.holders === 1) given.push(entry.message);
      this.#finish(entry);
    }
    lane.members.length = 0;
    return given;
  }

  addMember(lane: Lane, member: Member): void {
    member.lane = lane;
    lane.members.push(member);
    const waiting = this.#unwanted.take(lane.pattern);
    for (const message of waiting.reverse()) lane.giveBack(new Entry(message, lane, this));
    // A dead letter waits for the reader that failed on it, not for another one.
    if (lane.kind === "standing") for (const entry of [...lane.delayed]) this.#becomeDue(entry);
    this.dispatch(lane);
  }

  /** Takes a member out; what it holds goes back, at the cost of an attempt if `counted`. */
  removeMember(member: Member, counted: boolean): void {
    const { lane } = member;
    if (lane === undefined) return;
    member.lane = undefined;
    member.leaving = true;
    lane.members.splice(lane.members.indexOf(member), 1);
    for (const entry of [...member.entries].reverse()) this.#putBack(entry, counted && entry.state === "accepted");
    if (!lane.live) for (const entry of lane.entries()) this.#answers.settle(entry, false);
    if (lane.kind === "standing") this.#dropIfEmpty(lane);
    this.dispatch(lane);
    this.#notify();
  }

  /** A member has taken what it was offered. */
  accept(entry: Entry): void {
    if (this.#closed || entry.state !== "offered" || entry.member === undefined) return;
    entry.state = "accepted";
    const { member } = entry;
    member.offering = false;
    this.#answers.settle(entry, true);
    if (member.lane !== undefined) this.dispatch(member.lane);
  }

  /** A member has not taken what it was offered, and wants nothing for `pauseMs`. */
  refuse(entry: Entry, pauseMs: number): void {
    const { member } = entry;
    if (this.#closed || entry.state !== "offered" || member === undefined) return;
    this.#putBack(entry, false);
    this.#pause(member, pauseMs);
    this.#notify();
  }

  /** A member was lost with a message in its hands: the message goes to another, at the cost of an attempt if `counted`. */
  lose(entry: Entry, counted: boolean, pauseMs: number): void {
    const { member } = entry;
    if (this.#closed || member === undefined) return;
    this.#putBack(entry, counted);
    this.#pause(member, pauseMs);
    this.#notify();
  }

  /** Carries out what a subscription decided. An answer for a message that the member no longer holds changes nothing. */
  settle(entry: Entry, outcome: Outcome): void {
    if (this.#closed || entry.member === undefined) return;
    if (entry.state === "offered") this.accept(entry);
    this.#detach(entry);
    const { lane } = entry;
    switch (outcome.kind) {
      case "ack":
        this.#finish(entry);
        break;
      case "release":
        entry.state = "ready";
        lane.giveBack(entry);
        break;
      case "retry":
        entry.attempt = outcome.attempt;
        entry.firstFailureAt = outcome.firstFailureAt;
        this.#delay(entry, outcome.delayMs);
        break;
      case "dead":
        if (outcome.to !== false) this.#moveToDeadLetters(entry, outcome, outcome.to);
        this.#finish(entry);
        break;
    }
    this.dispatch(lane);
    this.#notify();
  }

  /** Hands over what is in line, as far as there is room. */
  dispatch(lane: Lane): void {
    // Offering may settle at once, and so come back here; the loop that runs already then goes on.
    if (lane.dispatching) return;
    lane.dispatching = true;
    while (lane.due.size > 0 || lane.ready.size > 0) {
      const member = lane.pick(this.#options.clock.now());
      if (member === undefined) break;
      const entry = lane.next();
      if (entry === undefined) break;
      entry.state = "offered";
      entry.member = member;
      member.entries.add(entry);
      member.offering = true;
      if (member.carrier.offer(entry)) this.accept(entry);
    }
    lane.dispatching = false;
  }

  /** Resolves when `condition` holds; it is looked at whenever a message is done or a lane changes. */
  when(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!condition()) return;
        this.#watchers = this.#watchers.filter((watcher) => watcher !== check);
        resolve();
      };
      this.#watchers.push(check);
      check();
    });
  }

  /** Whether nothing is on its way to a live target. */
  get idle(): boolean {
    for (const lane of this.lanes.values()) if (lane.live && lane.size > 0) return false;
    return true;
  }

  /** Answers whoever still waits, and stops all timers. Messages stay to be counted; answers that come later change nothing. */
  close(): void {
    this.#closed = true;
    this.#agenda.clear();
    this.#answers.close();
    this.#sweep?.cancel();
    this.#sweep = undefined;
    this.#backlog.close();
    for (const lane of this.lanes.values()) for (const entry of lane.entries()) entry.message.answer("waiting");
  }

  /** How many messages wait for a first subscriber, by topic. */
  get unwanted(): readonly (readonly [string, number])[] {
    return this.#unwanted.counts();
  }

  /** Drops one entry that is in no member's hands; resolves with whether it was there. */
  drop(entry: Entry): boolean {
    if (entry.state !== "ready" && entry.state !== "delayed") return false;
    const { lane } = entry;
    if (!lane.delayed.delete(entry)) for (const line of [lane.ready, lane.due]) line.remove((other) => other === entry);
    this.#finish(entry);
    return true;
  }

  /** Drops one entry as `drop` does, and reports it. */
  giveUp(entry: Entry, reason: string): void {
    if (this.drop(entry)) this.#reportGivenUp(entry, reason);
  }

  /** Puts a message into a lane as if it were new there. */
  insert(lane: Lane, content: MessageContent): void {
    this.#route(this.#message(content), [lane], 0);
  }

  #admit(publication: Publication, acceptTimeoutMs: number, owner: object | undefined): void {
    const { topic } = publication;
    if (isDeadLetterTopic(topic)) this.#standingLane(topic);
    const lanes = this.#wanting(topic);
    if (lanes.length === 0) {
      if (publication.mandatory) {
        publication.fail(new BrokerError("ERR_NO_SUBSCRIBERS", `Nobody subscribes to ${topic}.`, { topic }));
        return;
      }
      if (!this.#options.keepsUnwanted) return publication.confirm("unrouted");
    }
    const message = this.#message(publication, publication);
    message.owner = owner;
    this.#route(message, lanes, acceptTimeoutMs);
  }

  /** The lanes that a topic's messages go to. A broadcast subscription that is leaving wants nothing new. */
  #wanting(topic: string): readonly Lane[] {
    const lanes = this.#index.match(topic);
    const isStaying = (lane: Lane) => lane.kind !== "broadcast" || lane.live;
    return lanes.every(isStaying) ? lanes : lanes.filter(isStaying);
  }

  #message(content: MessageContent, publication?: Publication): OutboxMessage {
    const message = new OutboxMessage(content, this.#sequence++, this.#options.clock.now(), publication);
    this.#backlog.add(message);
    return message;
  }

  #route(message: OutboxMessage, lanes: readonly Lane[], acceptTimeoutMs: number): void {
    message.holders = Math.max(1, lanes.length);
    if (lanes.length === 0) this.#unwanted.add(message);
    for (const lane of lanes) {
      const entry = new Entry(message, lane, this);
      this.#answers.expect(entry);
      lane.ready.push(entry);
    }
    for (const lane of lanes) this.dispatch(lane);
    this.#answers.expected(message, message.publishedAt + acceptTimeoutMs);
    if (message.holders > 0) this.#armSweep();
  }

  #detach(entry: Entry): void {
    const { member } = entry;
    if (member === undefined) return;
    if (entry.state === "offered") member.offering = false;
    member.entries.delete(entry);
    entry.member = undefined;
  }

  #putBack(entry: Entry, counted: boolean): void {
    this.#detach(entry);
    if (counted) {
      entry.attempt += 1;
      entry.firstFailureAt ??= this.#options.clock.now();
    }
    entry.state = "ready";
    entry.lane.giveBack(entry);
  }

  #pause(member: Member, pauseMs: number): void {
    const until = this.#options.clock.now() + pauseMs;
    member.pausedUntil = until;
    this.#agenda.at(until, () => {
      if (member.lane !== undefined) this.dispatch(member.lane);
    });
    if (member.lane !== undefined) this.dispatch(member.lane);
  }

  #delay(entry: Entry, delayMs: number): void {
    const { lane } = entry;
    entry.state = "delayed";
    lane.delayed.add(entry);
    const appointment = this.#agenda.at(this.#options.clock.now() + delayMs, () => {
      // A reader that came earlier may have had it, and failed again, since.
      if (entry.delay !== appointment) return;
      this.#becomeDue(entry);
      this.dispatch(lane);
    });
    entry.delay = appointment;
  }

  #becomeDue(entry: Entry): void {
    if (!entry.lane.delayed.delete(entry)) return;
    entry.state = "ready";
    entry.lane.due.push(entry);
  }

  #moveToDeadLetters(entry: Entry, dead: Dead, to: string): void {
    const { message, lane } = entry;
    const header = deadLetterHeader(message.header, message.topic, lane.queue, dead);
    const origin = {
      pattern: lane.pattern,
      queue: lane.queue,
      subscriptionId: lane.kind === "broadcast" ? lane.id : undefined,
    };
    const { id, key, body } = message;
    if (isDeadLetterTopic(to)) this.#standingLane(to);
    const letter = this.#message({ topic: to, id, key, header, body, bytes: messageBytes(header, body), origin });
    letter.owner = message.owner;
    this.#route(letter, this.#wanting(to), 0);
  }

  #finish(entry: Entry): void {
    entry.state = "done";
    this.#answers.settle(entry, false);
    const { message, lane } = entry;
    message.holders -= 1;
    if (message.holders === 0) this.#forget(message);
    if (lane.kind === "standing") this.#dropIfEmpty(lane);
    this.#notify();
  }

  #notify(): void {
    if (this.#watchers.length > 0) for (const watcher of [...this.#watchers]) watcher();
  }

  #forget(message: OutboxMessage): void {
    this.#backlog.remove(message);
    if (this.#backlog.messages > 0) return;
    this.#sweep?.cancel();
    this.#sweep = undefined;
    this.#answers.rest();
  }

  #standingLane(topic: string): Lane {
    return this.lane(standingLaneId(topic), "standing", topic, undefined);
  }

  #dropIfEmpty(lane: Lane): void {
    if (lane.members.length === 0 && lane.size === 0) this.removeLane(lane, undefined);
  }

  #armSweep(): void {
    if (this.#sweep !== undefined) return;
    const { clock, maxAgeMs } = this.#options;
    const everyMs = Math.min(SWEEP_MS.most, Math.max(SWEEP_MS.least, maxAgeMs / SWEEP_MS.share));
    this.#sweep = clock.after(everyMs, () => {
      this.#sweep = undefined;
      this.#giveUpOlderThan(clock.now() - maxAgeMs);
      if (this.messages > 0) this.#armSweep();
    });
  }

  #giveUpOlderThan(oldest: number): void {
    const reason = `older than ${this.#options.maxAgeMs} ms`;
    for (const lane of [...this.lanes.values()]) {
      const old = [...lane.ready, ...lane.due, ...lane.delayed].filter((entry) => entry.message.publishedAt < oldest);
      for (const entry of old) this.giveUp(entry, reason);
    }
    for (const message of this.#unwanted.takeOlderThan(oldest)) {
      this.#options.onGiveUp({ topic: message.topic, id: message.id, reason });
      message.holders -= 1;
      this.#forget(message);
    }
  }

  #reportGivenUp(entry: Entry, reason: string): void {
    this.#options.onGiveUp({ topic: entry.topic, id: entry.id, queue: entry.lane.queue, reason });
  }
}

/** The id of the lane of a queue. */
export function queueLaneId(pattern: string, queue: string): string {
  return `queue\u0000${pattern}\u0000${queue}`;
}

/** The id of the lane of a concrete dead-letter topic. */
export function standingLaneId(topic: string): string {
  return `standing\u0000${topic}`;
}
