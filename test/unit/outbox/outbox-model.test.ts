import fc from "fast-check";
import { expect, test } from "vitest";
import type { GivenUp } from "../../../src/driver.ts";
import type { Entry } from "../../../src/outbox/entry.ts";
import { queueLaneId, standingLaneId } from "../../../src/outbox/lane-ids.ts";
import { isDeadLetterTopic, matchesTopic } from "../../../src/topics.ts";
import { ack, dead, harness, type ManualMember, type Published, release, retry } from "./harness.ts";

const MAX_MESSAGES = 12;
const MAX_BYTES = 60;
const TOPICS = ["a.x", "a.y", "b", "dlq.b"] as const;

/** A destination as the model sees it: which messages it still owes to somebody. */
interface ModelLane {
  readonly pattern: string;
  readonly queue: string | undefined;
  readonly owed: Set<string>;
}

/** What the outbox should hold, told without any of its machinery: which destination still wants which message. */
class Model {
  readonly lanes = new Map<string, ModelLane>();
  readonly unwanted = new Map<string, string>();
  readonly bytes = new Map<string, number>();

  get messages(): Set<string> {
    return new Set([...this.unwanted.keys(), ...[...this.lanes.values()].flatMap(({ owed }) => [...owed])]);
  }

  get totalBytes(): number {
    return [...this.messages].reduce((total, id) => total + (this.bytes.get(id) ?? 0), 0);
  }

  lane(id: string, pattern: string, queue?: string): ModelLane {
    const known = this.lanes.get(id);
    if (known !== undefined) return known;
    const lane = { pattern, queue, owed: new Set<string>() };
    this.lanes.set(id, lane);
    return lane;
  }

  route(id: string, topic: string): void {
    if (isDeadLetterTopic(topic)) this.lane(standingLaneId(topic), topic);
    const wanting = [...this.lanes.values()].filter(({ pattern }) => matchesTopic(pattern, topic));
    for (const { owed } of wanting) owed.add(id);
    if (wanting.length === 0) this.unwanted.set(id, topic);
  }

  take(pattern: string): string[] {
    const taken = [...this.unwanted].filter(([, topic]) => matchesTopic(pattern, topic)).map(([id]) => id);
    for (const id of taken) this.unwanted.delete(id);
    return taken;
  }
}

/** The outbox with its members, and what came out of it. */
class Real {
  readonly harness = harness({
    maxMessages: MAX_MESSAGES,
    maxBytes: MAX_BYTES,
    onGiveUp: (message) => this.givenUp.push(message),
  });
  readonly givenUp: GivenUp[] = [];
  readonly members: (ManualMember & { readonly laneId: string })[] = [];
  readonly published: Published[] = [];
  /** Pairs of lane and message whose first attempt was offered. */
  readonly offered = new Set<string>();
  last = 0;

  join(
    pattern: string,
    queue: string | undefined,
    window: number,
    takesAll: boolean,
  ): ManualMember & { readonly laneId: string } {
    const id = `s${this.last++}`;
    const options = {
      id,
      window,
      takesAll,
      onOffer: (entry: Entry) => this.#checkOffer(entry),
      ...(queue === undefined ? {} : { queue }),
    };
    const member = this.harness.subscribe(pattern, options);
    const joined = Object.assign(member, { laneId: member.lane.id });
    this.members.push(joined);
    return joined;
  }

  // First attempts go out in the order of publishing: no earlier one of the same lane is still in line.
  #checkOffer(entry: Entry): void {
    if (entry.attempt > 1) return;
    for (const other of entry.lane.ready) expect(other.message.sequence).toBeGreaterThan(entry.message.sequence);
  }

  check(model: Model): void {
    const { outbox } = this.harness;
    expect(
      outbox.lanes
        .all()
        .map(({ id }) => id)
        .sort(),
    ).toEqual([...model.lanes.keys()].sort());
    for (const [id, { owed }] of model.lanes) {
      const lane = outbox.lanes.get(id);
      const entries = [...(lane?.entries() ?? [])];
      expect(entries.map((entry) => entry.id).sort(), `what lane ${id} holds`).toEqual([...owed].sort());
      expect(lane?.size).toBe(entries.length);
      const waiting = (lane?.ready.size ?? 0) + (lane?.due.size ?? 0);
      if (waiting > 0) expect(lane?.members.filter((member) => member.free)).toEqual([]);
      const line = [...(lane?.ready ?? [])]
        .filter(({ attempt }) => attempt === 1)
        .map(({ message }) => message.sequence);
      expect(line).toEqual([...line].sort((a, b) => a - b));
    }
    const holders = new Map<Entry, string>();
    for (const { member } of this.members) {
      expect(member.entries.size).toBeLessThanOrEqual(member.window);
      expect([...member.entries].filter(({ state }) => state === "offered").length).toBe(member.offering ? 1 : 0);
      for (const entry of member.entries) {
        expect(holders.get(entry), `${entry.id} with two members`).toBeUndefined();
        expect(entry.member).toBe(member);
        holders.set(entry, member.id);
      }
    }
    expect(outbox.messages).toBe(model.messages.size);
    expect(outbox.bytes).toBe(model.totalBytes);
    for (const { answers } of this.published) expect(answers.length).toBeLessThanOrEqual(1);
  }
}

type Step = fc.Command<Model, Real>;

function step(
  text: string,
  run: (model: Model, real: Real) => void,
  check: (model: Model) => boolean = () => true,
): Step {
  return {
    check,
    toString: () => text,
    run(model, real) {
      run(model, real);
      real.check(model);
    },
  };
}

/** One of the members there are, by any number. */
function pick(real: Real, which: number) {
  return real.members.length === 0 ? undefined : real.members[which % real.members.length];
}

/** Publishes messages together. */
function publish(messages: readonly (readonly [topic: string, size: number])[]): Step {
  return step(`publish ${messages.map(([topic, size]) => `${topic} ${size}`).join(", ")}`, (model, real) => {
    const batch = messages.map(([topic, size], index) => {
      const id = `p${real.published.length + index}`;
      return { topic, size, id, ...real.harness.publication(topic, { id, body: "x".repeat(size) }) };
    });
    real.harness.outbox.publish(
      batch.map(({ made }) => made),
      1_000,
    );
    for (const { topic, size, id, published } of batch) {
      real.published.push(published);
      if (model.messages.size < MAX_MESSAGES && model.totalBytes + size <= MAX_BYTES) {
        model.bytes.set(id, size);
        model.route(id, topic);
      } else expect(published.answers).toMatchObject([{ code: "ERR_BACKLOG_FULL" }]);
    }
  });
}

function join(pattern: string, queue: string | undefined, window: number, takesAll: boolean): Step {
  return step(`join ${pattern} ${queue ?? ""} window ${window}${takesAll ? ", takes all" : ""}`, (model, real) => {
    if (real.members.length >= 6) return;
    const { laneId } = real.join(pattern, queue, window, takesAll);
    const lane = model.lane(laneId, pattern, queue);
    for (const id of model.take(pattern)) lane.owed.add(id);
  });
}

function createQueue(pattern: string, queue: string): Step {
  return step(`create ${pattern} ${queue}`, (model, real) => {
    real.harness.outbox.lanes.open(queueLaneId(pattern, queue), "queue", pattern, queue);
    model.lane(queueLaneId(pattern, queue), pattern, queue);
  });
}

function leave(which: number, counted: boolean): Step {
  return step(`leave ${which}${counted ? ", lost" : ""}`, (model, real) => {
    const member = pick(real, which);
    if (member === undefined) return;
    real.members.splice(real.members.indexOf(member), 1);
    real.harness.outbox.removeMember(member.member, counted);
    const lane = real.harness.outbox.lanes.get(member.laneId);
    if (lane?.kind === "broadcast") {
      real.harness.outbox.removeLane(lane, undefined);
      model.lanes.delete(member.laneId);
    } else dropEmptyStanding(model, real);
  });
}

function removeQueue(pattern: string, queue: string): Step {
  return step(`remove ${pattern} ${queue}`, (model, real) => {
    const lane = real.harness.outbox.lanes.get(queueLaneId(pattern, queue));
    if (lane === undefined || lane.members.length > 0) return;
    const given = lane.size;
    const before = real.givenUp.length;
    real.harness.outbox.removeLane(lane, "removed");
    expect(real.givenUp.length - before).toBe(given);
    model.lanes.delete(lane.id);
  });
}

function accept(which: number): Step {
  return step(`accept ${which}`, (_model, real) => pick(real, which)?.accept());
}

function refuse(which: number, pauseMs: number): Step {
  return step(`refuse ${which} for ${pauseMs}`, (_model, real) => pick(real, which)?.refuse(pauseMs));
}

function lose(which: number, pauseMs: number): Step {
  return step(`lose ${which} for ${pauseMs}`, (_model, real) => {
    const entry = pick(real, which)?.held[0];
    if (entry !== undefined) real.harness.outbox.lose(entry, true, pauseMs);
  });
}

type Kind = "ack" | "retry" | "release" | "bury" | "drop";

function settle(which: number, kind: Kind, delayMs: number): Step {
  return step(`settle ${which} ${kind}`, (model, real) => {
    const entry = pick(real, which)?.held.at(-1);
    if (entry === undefined) return;
    const owed = model.lanes.get(entry.lane.id)?.owed;
    const { id, topic } = entry;
    if (kind === "release") entry.settle(release);
    else if (kind === "retry") entry.settle(retry(delayMs, entry.attempt + 1));
    else if (kind === "bury" && !isDeadLetterTopic(topic)) {
      // A dead letter is a message of its own, with the same id and more headers: the model gives it a name of its own.
      const before = real.harness.outbox.bytes;
      owed?.delete(id);
      const others = model.messages.has(id) ? (model.bytes.get(id) ?? 0) : 0;
      entry.settle(dead("dlq.b"));
      const letter = [...(real.harness.outbox.lanes.get(standingLaneId("dlq.b"))?.entries() ?? [])].at(-1);
      renameLetters(model, real, id, before - (model.bytes.get(id) ?? 0) + others);
      expect(letter).toBeDefined();
    } else {
      owed?.delete(id);
      entry.settle(kind === "drop" ? dead(false) : ack);
    }
    dropEmptyStanding(model, real);
  });
}

/** The dead letters of the outbox carry the ids of their messages; for the model each gets one that is not used elsewhere. */
function renameLetters(model: Model, real: Real, id: string, bytesBefore: number): void {
  const name = `${id}+${real.last++}`;
  const standing = model.lane(standingLaneId("dlq.b"), "dlq.b");
  for (const lane of [standing, ...model.lanes.values()]) {
    if (!matchesTopic(lane.pattern, "dlq.b")) continue;
    lane.owed.add(name);
    for (const entry of real.harness.outbox.lanes.get(laneIdOf(model, lane))?.entries() ?? []) {
      if (entry.id === id && entry.topic === "dlq.b") Object.assign(entry.message.content, { id: name });
    }
  }
  model.bytes.set(name, real.harness.outbox.bytes - bytesBefore);
}

function laneIdOf(model: Model, lane: ModelLane): string {
  return [...model.lanes].find(([, other]) => other === lane)?.[0] ?? "";
}

/** The queue of a dead-letter topic is there while it has messages or members. */
function dropEmptyStanding(model: Model, real: Real): void {
  for (const topic of TOPICS.filter(isDeadLetterTopic)) {
    const id = standingLaneId(topic);
    const used = (model.lanes.get(id)?.owed.size ?? 0) > 0 || real.members.some(({ laneId }) => laneId === id);
    if (!used) model.lanes.delete(id);
  }
}

function advance(ms: number): Step {
  return step(`advance ${ms}`, (_model, real) => {
    real.harness.clock.advance(ms);
    if (ms >= 1_000) for (const { answers } of real.published) expect(answers.length).toBe(1);
  });
}

const which = fc.nat({ max: 30 });
const pattern = fc.constantFrom("a.x", "a.*", "a.>", "b", ">", "dlq.b", "dlq.>");
const queue = fc.constantFrom("q", "r");
const message = fc.tuple(fc.constantFrom(...TOPICS), fc.nat({ max: 8 }));
const steps = [
  message.map((one) => publish([one])),
  fc.array(message, { minLength: 1, maxLength: 5 }).map(publish),
  fc
    .tuple(pattern, fc.option(queue, { nil: undefined }), fc.integer({ min: 1, max: 3 }), fc.boolean())
    .map((all) => join(...all)),
  fc.tuple(fc.constantFrom("a.x", "b"), queue).map((all) => createQueue(...all)),
  fc.tuple(fc.constantFrom("a.x", "b"), queue).map((all) => removeQueue(...all)),
  fc.tuple(which, fc.boolean()).map((all) => leave(...all)),
  which.map(accept),
  which.map(accept),
  fc.tuple(which, fc.constantFrom(0, 50)).map((all) => refuse(...all)),
  fc.tuple(which, fc.constantFrom(0, 50)).map((all) => lose(...all)),
  fc
    .tuple(
      which,
      fc.constantFrom<Kind[]>("ack", "ack", "ack", "retry", "release", "bury", "drop"),
      fc.constantFrom(0, 30, 200),
    )
    .map((all) => settle(...all)),
  fc
    .tuple(
      which,
      fc.constantFrom<Kind[]>("ack", "ack", "ack", "retry", "release", "bury", "drop"),
      fc.constantFrom(0, 30, 200),
    )
    .map((all) => settle(...all)),
  fc.constantFrom(10, 100, 1_000).map(advance),
];

const runs = process.env["TIDINGS_TEST_PROFILE"] === "full" ? 5_000 : 400;

test("whatever happens, no message is lost, none is with two members, and nothing is left at the end", () => {
  fc.assert(
    fc.property(fc.commands(steps, { maxCommands: 60, size: "max" }), (commands) => {
      const model = new Model();
      const real = new Real();
      fc.modelRun(() => ({ model, real }), commands);
      finish(model, real);
    }),
    { numRuns: runs },
  );
}, 120_000);

/** Everybody who wants something gets it and acks it; then nothing is left, and no timer runs. */
function finish(model: Model, real: Real): void {
  const { harness: made, members } = real;
  const { outbox, clock } = made;
  for (const lane of outbox.lanes.all()) if (lane.members.length === 0) real.join(lane.pattern, lane.queue, 3, true);
  if (model.unwanted.size > 0) real.join(">", undefined, 3, true);
  // Each round settles at least one message, or lets a pause or delay pass.
  for (let left = 1_000; outbox.messages > 0 && left > 0; left -= 1) {
    for (const member of members) {
      member.accept();
      for (const entry of member.held) entry.settle(ack);
    }
    clock.advance(100);
  }
  expect([outbox.messages, outbox.bytes]).toEqual([0, 0]);
  for (const { answers } of real.published) expect(answers.length).toBe(1);
  outbox.close();
  expect(clock.timers).toBe(0);
}
