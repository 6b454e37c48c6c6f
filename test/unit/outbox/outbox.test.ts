import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import type { Entry } from "../../../src/outbox/entry.ts";
import { outboxQueues } from "../../../src/outbox/queues.ts";
import { subscribeLocal } from "../../../src/outbox/subscribe-local.ts";
import { ack, dead, harness, release, retry } from "./harness.ts";

describe("order", () => {
  test("is that of publishing, and what is given back takes its place in it", () => {
    const { publish, subscribe } = harness();
    const member = subscribe("t", { window: 3 });
    for (let n = 0; n < 6; n += 1) publish("t", { id: `m${n}` });
    expect(member.ids).toEqual(["m0", "m1", "m2"]);
    // Given back in any order, while later ones wait.
    for (const id of ["m1", "m2", "m0"]) member.settle(id, release);
    const again = member.ids.slice(3);
    expect(new Set(again)).toEqual(new Set(["m0", "m1", "m2"]));
    for (const entry of [...member.member.entries]) entry.settle(ack);
    for (const entry of [...member.member.entries]) entry.settle(ack);
    expect(member.ids.slice(-3)).toEqual(["m3", "m4", "m5"]);
  });

  test("is kept for what a leaving member held: the next gets it in order, before what came later", () => {
    const { outbox, publish, subscribe } = harness();
    const first = subscribe("t", { queue: "q", window: 3 });
    for (let n = 0; n < 6; n += 1) publish("t", { id: `m${n}` });
    outbox.removeMember(first.member, false);
    const second = subscribe("t", { queue: "q" });
    expect(second.ids).toEqual(["m0", "m1", "m2", "m3", "m4", "m5"]);
    expect(second.offers.every(({ attempt }) => attempt === 1)).toBe(true);
  });

  test("puts retries that are due before first attempts, and waits for nobody", () => {
    const { clock, publish, subscribe } = harness();
    const member = subscribe("t", { window: 1 });
    for (let n = 0; n < 3; n += 1) publish("t", { id: `m${n}` });
    member.settle("m0", retry(100, 2));
    expect(member.ids).toEqual(["m0", "m1"]);
    clock.advance(99);
    member.settle("m1", ack);
    expect(member.ids).toEqual(["m0", "m1", "m2"]);
    clock.advance(1);
    expect(member.ids).toEqual(["m0", "m1", "m2"]);
    member.settle("m2", ack);
    expect(member.ids).toEqual(["m0", "m1", "m2", "m0"]);
    expect(member.offers[3]?.attempt).toBe(2);
  });

  test("is that of publishing over topics for what waited for a pattern", () => {
    const { publish, subscribe } = harness();
    for (const topic of ["t.b", "t.a", "t.b", "u", "t.c"]) publish(topic);
    expect(subscribe("t.*").offers.map(({ topic }) => topic)).toEqual(["t.b", "t.a", "t.b", "t.c"]);
  });

  test("one offer at a time: the next comes when the member has taken the last", () => {
    const { publish, subscribe } = harness();
    const member = subscribe("t", { takesAll: false });
    for (let n = 0; n < 3; n += 1) publish("t", { id: `m${n}` });
    expect(member.ids).toEqual(["m0"]);
    member.accept();
    expect(member.ids).toEqual(["m0", "m1"]);
    member.refuse();
    expect(member.ids).toEqual(["m0", "m1", "m1"]);
  });
});

describe("members", () => {
  test("take turns when they are equally free", () => {
    const { publish, subscribe } = harness();
    const members = ["a", "b", "c"].map((id) => subscribe("t", { id, queue: "q" }));
    for (let n = 0; n < 9; n += 1) {
      publish("t");
      for (const member of members) for (const entry of [...member.member.entries]) entry.settle(ack);
    }
    expect(members.map(({ offers }) => offers.length)).toEqual([3, 3, 3]);
  });

  test("that hold less come first, and a full one gets nothing", () => {
    const { publish, subscribe } = harness();
    const [small, large] = [subscribe("t", { queue: "q", window: 1 }), subscribe("t", { queue: "q", window: 4 })];
    for (let n = 0; n < 7; n += 1) publish("t");
    expect([small.offers.length, large.offers.length]).toEqual([1, 4]);
  });

  test("that refuse are passed over for their pause, and only for that", () => {
    const { clock, publish, subscribe } = harness();
    const [one, two] = [
      subscribe("t", { queue: "q", takesAll: false }),
      subscribe("t", { queue: "q", takesAll: false }),
    ];
    publish("t", { id: "m" });
    one.refuse(100);
    expect(two.ids).toEqual(["m"]);
    two.refuse(200);
    clock.advance(99);
    expect(one.ids).toEqual(["m"]);
    clock.advance(1);
    expect(one.ids).toEqual(["m", "m"]);
    one.accept();
    expect(one.held.map(({ attempt }) => attempt)).toEqual([1]);
  });

  test("that are lost cost an attempt for what they had taken, and none for what they had only been offered", () => {
    const { outbox, publish, subscribe } = harness();
    const lost = subscribe("t", { queue: "q", takesAll: false });
    publish("t", { id: "taken" });
    publish("t", { id: "offered" });
    lost.accept();
    outbox.removeMember(lost.member, true);
    const other = subscribe("t", { queue: "q" });
    expect(other.offers.map(({ id, attempt }) => [id, attempt])).toEqual([
      ["taken", 2],
      ["offered", 1],
    ]);
    expect(other.offers[0]?.firstFailureAt).toBeTypeOf("number");
  });

  test("change nothing by an answer for what they no longer hold", () => {
    const { outbox, publish, subscribe } = harness();
    const first = subscribe("t", { queue: "q" });
    publish("t", { id: "m" });
    const [entry] = first.held;
    outbox.removeMember(first.member, false);
    entry?.settle(ack);
    expect(outbox.messages).toBe(1);
    const second = subscribe("t", { queue: "q" });
    expect(second.ids).toEqual(["m"]);
    second.settle("m", ack);
    second.offers[0]?.settle(ack);
    second.offers[0]?.settle(dead("dlq.t"));
    expect(outbox.messages).toBe(0);
  });

  test("that leave get nothing more, and hold up nobody's publish", () => {
    const { outbox, publish, subscribe } = harness();
    const member = subscribe("t", { takesAll: false });
    const first = publish("t");
    const second = publish("t");
    member.member.leave();
    member.refuse();
    expect(member.offers.length).toBe(1);
    outbox.removeMember(member.member, false);
    expect([first.answers, second.answers]).toEqual([["waiting"], ["waiting"]]);
  });
});

describe("bounds", () => {
  test("count messages, over all topics, and give room when one is done", () => {
    const { outbox, publish, subscribe } = harness({ maxMessages: 2 });
    const member = subscribe("t");
    publish("t", { id: "m" });
    publish("unwanted");
    expect(publish("t").answers).toMatchObject([{ code: "ERR_BACKLOG_FULL", topic: "t" }]);
    expect(publish("unwanted").answers).toMatchObject([{ code: "ERR_BACKLOG_FULL" }]);
    member.settle("m", ack);
    expect(publish("t").answers).toEqual(["accepted"]);
    expect(outbox.messages).toBe(2);
  });

  test("count bytes once a message, however many want it", () => {
    const { outbox, publish, subscribe } = harness({ maxBytes: 10 });
    const members = [subscribe("t"), subscribe("t"), subscribe("*", { queue: "q" })];
    publish("t", { id: "m", body: "x".repeat(6) });
    expect(outbox.bytes).toBe(6);
    expect(publish("t", { body: "x".repeat(5) }).answers).toMatchObject([{ code: "ERR_BACKLOG_FULL" }]);
    expect(publish("t", { id: "n", body: "x".repeat(4) }).answers).toEqual(["accepted"]);
    for (const member of members) {
      expect(outbox.bytes).toBe(10);
      member.settle("m", ack);
      member.settle("n", ack);
    }
    expect([outbox.messages, outbox.bytes]).toEqual([0, 0]);
  });

  test("do not stop dead letters and retries", () => {
    const { clock, outbox, publish, subscribe } = harness({ maxMessages: 1 });
    const member = subscribe("t");
    publish("t", { id: "m" });
    member.settle("m", retry(10, 2));
    clock.advance(10);
    member.settle("m", dead("dlq.t"));
    expect(outbox.messages).toBe(1);
    expect(subscribe("dlq.t").ids).toEqual(["m"]);
  });

  test("of age give up what nobody has, with an event, but not what a member holds", () => {
    const { clock, outbox, givenUp, publish, subscribe } = harness({ maxAgeMs: 10_000 });
    const member = subscribe("t", { window: 1 });
    for (const id of ["held", "waiting"]) publish("t", { id });
    publish("u", { id: "unwanted" });
    clock.advance(9_000);
    publish("u", { id: "young" });
    expect(givenUp).toEqual([]);
    clock.advance(3_000);
    expect(givenUp.map(({ id, reason }) => [id, reason]).sort()).toEqual([
      ["unwanted", "older than 10000 ms"],
      ["waiting", "older than 10000 ms"],
    ]);
    expect(outbox.messages).toBe(2);
    member.settle("held", retry(60_000, 2));
    clock.advance(20_000);
    expect(givenUp.map(({ id }) => id).sort()).toEqual(["held", "unwanted", "waiting", "young"]);
    expect([outbox.messages, outbox.bytes, clock.timers]).toEqual([0, 0, 1]);
    clock.advance(60_000);
    expect(member.ids).toEqual(["held"]);
    expect(clock.timers).toBe(0);
  });

  test.each(["nobody wants", "waits in a queue"])(
    "what is given up has made room when that is told: what %s",
    (state) => {
      const told: unknown[] = [];
      const { clock, outbox, publish, publication, subscribe } = harness({
        maxMessages: 1,
        maxAgeMs: 10_000,
        onGiveUp: ({ topic }) => {
          const { made, published } = publication("alerts");
          outbox.publish([made], 1_000);
          told.push([topic, published.answers]);
        },
      });
      if (state !== "nobody wants") subscribe("t", { queue: "q", window: 0 });
      publish("t");
      clock.advance(11_000);
      expect(told).toEqual([["t", ["waiting"]]]);
      expect(outbox.messages).toBe(1);
    },
  );

  test("what a removed queue gives up has made room when that is told", () => {
    const told: unknown[] = [];
    const { outbox, publish, publication, subscribe } = harness({
      maxMessages: 1,
      onGiveUp: ({ topic }) => {
        const { made, published } = publication("alerts");
        outbox.publish([made], 1_000);
        told.push([topic, published.answers]);
      },
    });
    const { lane } = subscribe("t", { queue: "q", window: 0 });
    publish("t");
    outbox.removeLane(lane, "its queue was removed");
    expect(told).toEqual([["t", ["waiting"]]]);
    expect(outbox.messages).toBe(1);
  });

  test("hold within what is published together: what the first of it leaves behind counts for the rest", () => {
    const { outbox, publication, subscribe } = harness({ maxMessages: 2 });
    const onOffer = (entry: Entry) => entry.settle(dead("dlq.t"));
    for (let n = 0; n < 2; n += 1) subscribe("t", { onOffer });
    const batch = ["t", "u"].map((topic) => publication(topic));
    outbox.publish(
      batch.map(({ made }) => made),
      5_000,
    );
    expect(batch.map(({ published }) => published.answers)).toMatchObject([
      ["accepted"],
      [{ code: "ERR_BACKLOG_FULL" }],
    ]);
    expect(outbox.messages).toBe(2);
  });

  test("are of what is in memory: messages that were published together do not keep each other there", async () => {
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    const { outbox, publication, subscribe } = harness();
    const { member, offers } = subscribe("t", { window: 1 });
    // In a function of its own, whose variables hold nothing afterwards.
    const handled = () => {
      const batch = Array.from({ length: 50 }, () => publication("t").made);
      outbox.publish(batch, 5_000);
      for (let done = 0; done < 40; done += 1) for (const entry of [...member.entries]) entry.settle(ack);
      offers.length = 0;
      return batch.map(({ body }) => new WeakRef(body));
    };
    const bodies = handled();
    // What a `WeakRef` was made of stays until the turn ends.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(bodies.filter((body) => body.deref() !== undefined).length).toBe(outbox.messages);
  });

  test("let others wait in line for room, with whenFull wait", () => {
    const { outbox, publish, subscribe } = harness({ maxMessages: 1, whenFull: "wait" });
    const member = subscribe("t", { window: 10 });
    const published = ["m0", "m1", "m2"].map((id) => publish("t", { id }));
    expect(published.map(({ answers }) => answers)).toEqual([["accepted"], [], []]);
    expect(outbox.messages).toBe(1);
    member.settle("m0", ack);
    expect(member.ids).toEqual(["m0", "m1"]);
    member.settle("m1", ack);
    member.settle("m2", ack);
    expect(published.map(({ answers }) => answers)).toEqual([["accepted"], ["accepted"], ["accepted"]]);
  });

  test("let no small one overtake a large one that waits", () => {
    const { publish, subscribe } = harness({ maxBytes: 10, whenFull: "wait" });
    const member = subscribe("t");
    publish("t", { id: "first", body: "x".repeat(6) });
    publish("t", { id: "large", body: "x".repeat(8) });
    publish("t", { id: "small", body: "x" });
    expect(member.ids).toEqual(["first"]);
    member.settle("first", ack);
    expect(member.ids).toEqual(["first", "large", "small"]);
  });

  test("refuse at once what can never have room, also with whenFull wait", () => {
    const { publish } = harness({ maxBytes: 10, whenFull: "wait" });
    expect(publish("t", { body: "x".repeat(11) }).answers).toMatchObject([{ code: "ERR_BACKLOG_FULL" }]);
    expect(publish("t", { body: "x".repeat(10) }).answers).toEqual(["waiting"]);
  });

  test("answer who waits for room when the outbox closes", () => {
    const { clock, outbox, publish } = harness({ maxMessages: 1, whenFull: "wait" });
    publish("t");
    const parked = publish("t");
    outbox.close();
    expect(parked.answers).toMatchObject([{ code: "ERR_BACKLOG_FULL" }]);
    expect(clock.timers).toBe(0);
  });
});

describe("the answer to a publish", () => {
  test("is accepted when every live destination has taken it", () => {
    const { publish, subscribe } = harness();
    const [one, two] = [subscribe("t", { takesAll: false }), subscribe("t", { queue: "q", takesAll: false })];
    const { answers } = publish("t");
    one.accept();
    expect(answers).toEqual([]);
    two.accept();
    expect(answers).toEqual(["accepted"]);
  });

  test("is waiting after the time limit, and the message arrives all the same", () => {
    const { clock, publish, subscribe } = harness();
    const member = subscribe("t", { takesAll: false });
    const { answers } = publish("t", { id: "m", acceptTimeoutMs: 100 });
    clock.advance(99);
    expect(answers).toEqual([]);
    clock.advance(1);
    expect(answers).toEqual(["waiting"]);
    member.accept();
    member.settle("m", ack);
    expect(answers).toEqual(["waiting"]);
  });

  test("keeps to each message's own time limit, whatever their order", () => {
    const { clock, publish, subscribe } = harness();
    subscribe("t", { takesAll: false });
    const [long, short] = [publish("t", { acceptTimeoutMs: 1_000 }), publish("t", { acceptTimeoutMs: 10 })];
    clock.advance(10);
    expect([long.answers, short.answers]).toEqual([[], ["waiting"]]);
    clock.advance(990);
    expect(long.answers).toEqual(["waiting"]);
  });

  test("is waiting at once when nobody is live, and a queue without a member keeps it", () => {
    const { outbox, publish, subscribe } = harness();
    const member = subscribe("t", { queue: "q" });
    outbox.removeMember(member.member, false);
    expect(publish("t", { id: "m" }).answers).toEqual(["waiting"]);
    expect(subscribe("t", { queue: "q" }).ids).toEqual(["m"]);
  });

  test("is decided by the live ones when a queue without a member keeps a copy", () => {
    const { outbox, publish, subscribe } = harness();
    outbox.removeMember(subscribe("t", { queue: "q" }).member, false);
    const broadcast = subscribe("t");
    expect(publish("t", { id: "m" }).answers).toEqual(["accepted"]);
    broadcast.settle("m", ack);
    expect(outbox.messages).toBe(1);
  });

  test("is that of nobody being there when the only subscriber is leaving: it wants nothing new", () => {
    const { outbox, publish, subscribe } = harness();
    const member = subscribe("t");
    publish("t", { id: "held" });
    member.member.leave();
    expect(publish("t", { mandatory: true }).answers).toMatchObject([{ code: "ERR_NO_SUBSCRIBERS" }]);
    expect(publish("t", { id: "m" }).answers).toEqual(["waiting"]);
    member.settle("held", ack);
    outbox.removeMember(member.member, false);
    outbox.removeLane(member.lane, "gone");
    expect(subscribe("t").ids).toEqual(["m"]);
    const unkept = harness({ keepsUnwanted: false });
    unkept.subscribe("t").member.leave();
    expect(unkept.publish("t").answers).toEqual(["unrouted"]);
  });

  test("is waiting, not forgotten, when the last that could take it leaves", () => {
    const { outbox, publish, subscribe } = harness();
    const member = subscribe("t", { queue: "q", window: 1 });
    publish("t");
    const second = publish("t");
    expect(second.answers).toEqual([]);
    outbox.removeMember(member.member, false);
    expect(second.answers).toEqual(["waiting"]);
  });

  test("is ERR_NO_SUBSCRIBERS with mandatory and nobody there, and unrouted where unwanted messages are not kept", () => {
    const { outbox, publish } = harness();
    expect(publish("t", { mandatory: true }).answers).toMatchObject([{ code: "ERR_NO_SUBSCRIBERS" }]);
    const other = harness({ keepsUnwanted: false });
    expect(other.publish("t").answers).toEqual(["unrouted"]);
    expect([outbox.messages, other.outbox.messages]).toEqual([0, 0]);
  });

  test("comes once, whatever happens", () => {
    const { clock, outbox, publish, subscribe } = harness();
    const member = subscribe("t", { takesAll: false });
    const { answers } = publish("t", { acceptTimeoutMs: 10 });
    member.accept();
    clock.advance(10);
    outbox.removeLane(member.lane, "gone");
    outbox.close();
    expect(answers).toEqual(["accepted"]);
  });

  test("may lead to the queue's removal: what is given up then is not handed over any more", () => {
    const { outbox, publication, subscribe, givenUp } = harness();
    const member = subscribe("t", { queue: "q" });
    const batch = ["m", "n"].map((id) => publication("t", { id }).made);
    const confirm = () => void outboxQueues(outbox).remove("t", "q");
    outbox.publish(
      batch.map((made) => ({ ...made, confirm })),
      5_000,
    );
    expect([givenUp.map(({ id }) => id), member.ids, outbox.messages]).toEqual([["m", "n"], [], 0]);
  });
});

describe("messages that nobody wants", () => {
  test("go to the first who wants them, once, and later messages follow them", () => {
    const { publish, subscribe } = harness();
    for (const id of ["m0", "m1"]) publish("t", { id });
    const first = subscribe("t", { window: 2 });
    publish("t", { id: "m2" });
    const second = subscribe("t");
    expect(first.ids).toEqual(["m0", "m1"]);
    first.settle("m0", ack);
    expect(first.ids).toEqual(["m0", "m1", "m2"]);
    expect(second.ids).toEqual([]);
  });

  test("are not taken by a queue that is only created, nor by what does not match", () => {
    const { outbox, publish, subscribe } = harness();
    publish("t", { id: "m" });
    void outboxQueues(outbox).create("t", "q");
    expect(subscribe("u").ids).toEqual([]);
    expect(outbox.messages).toBe(1);
  });
});

describe("lanes", () => {
  test("that went while a message for one of them alone waited for room do not get it, and its sender hears so", () => {
    const { outbox, publish, publication, subscribe } = harness({ maxMessages: 1, whenFull: "wait" });
    const held = publish("t");
    const member = subscribe("t");
    const { made, published } = publication("u");
    const { lane } = subscribe("u");
    outbox.publishTo(lane, made, 5_000);
    outbox.removeLane(lane, undefined);
    expect(published.answers).toEqual([]);
    member.settle(held.id, ack);
    expect([published.answers, outbox.messages]).toMatchObject([[{ code: "ERR_NO_SUBSCRIBERS" }], 0]);
  });

  test("removed give up what waits in them, with an event, and return what only they wanted", () => {
    const { outbox, givenUp, publish, subscribe } = harness();
    const [one, two] = [subscribe("t", { window: 1 }), subscribe("t", { window: 1 })];
    for (const id of ["m0", "m1"]) publish("t", { id });
    expect(outbox.removeLane(one.lane, "gone")).toEqual([]);
    expect(givenUp.map(({ id }) => id)).toEqual(["m0", "m1"]);
    expect(outbox.removeLane(two.lane, undefined).map(({ id }) => id)).toEqual(["m0", "m1"]);
    expect(givenUp.length).toBe(2);
    expect([outbox.messages, outbox.bytes]).toEqual([0, 0]);
    expect(outbox.removeLane(two.lane, "again")).toEqual([]);
  });

  test("of a removed queue begin anew for members that live", async () => {
    const { outbox, publish, subscribe } = harness();
    const member = subscribe("t", { queue: "q", window: 1 });
    for (const id of ["m0", "m1"]) publish("t", { id });
    const held = member.held;
    expect(await outboxQueues(outbox).remove("t", "q")).toBe(true);
    expect(outbox.messages).toBe(0);
    publish("t", { id: "m2" });
    expect(member.ids).toEqual(["m0", "m2"]);
    for (const entry of held) entry.settle(ack);
    member.settle("m2", ack);
    expect(outbox.messages).toBe(0);
    expect(await outboxQueues(outbox).remove("t", "other")).toBe(false);
  });

  test("of a local subscription end with it, and say how many messages of the disconnecting broker went with it", async () => {
    const { outbox, publication } = harness();
    const owner = {};
    const abandoned: number[] = [];
    const request = {
      id: "s",
      pattern: "t",
      queue: undefined,
      prefetch: 1,
      ackTimeoutMs: 1,
      maxAttempts: 1,
      deliver: () => {},
      onEnd: () => {},
    };
    const subscription = subscribeLocal(outbox, request, owner, (count) => abandoned.push(count));
    outbox.publish([publication("t").made, publication("t").made], 10, owner);
    outbox.publish([publication("t").made], 10, {});
    await subscription.stop();
    await subscription.close(true);
    await subscription.close(true);
    expect(abandoned).toEqual([2]);
    expect(outbox.messages).toBe(0);
  });

  test("are idle when nothing is on its way to a live target", () => {
    const { outbox, publish, subscribe } = harness();
    outbox.removeMember(subscribe("t", { queue: "empty" }).member, false);
    const member = subscribe("t");
    publish("t", { id: "m" });
    expect(outbox.idle).toBe(false);
    member.settle("m", retry(10, 2));
    expect(outbox.idle).toBe(false);
    outbox.removeMember(member.member, false);
    outbox.removeLane(member.lane, "gone");
    expect(outbox.idle).toBe(true);
  });

  test.each(["release", "refuse", "lose", "retry", "ack"] as const)(
    "whose conditions are waited for are looked at after %s",
    async (how) => {
      const { outbox, publish, subscribe } = harness();
      const member = subscribe("t", { takesAll: false });
      publish("t", { id: "m" });
      member.member.leave();
      const empty = outbox.when(() => member.member.entries.size === 0);
      if (how === "refuse") member.refuse(10);
      else {
        member.accept();
        const [entry] = member.held;
        if (entry === undefined) throw new Error("it holds nothing");
        if (how === "lose") outbox.lose(entry, true, 10);
        else entry.settle(how === "release" ? release : how === "retry" ? retry(10, 2) : ack);
      }
      await empty;
    },
  );

  test("stop everything that runs when the outbox closes", () => {
    const { clock, outbox, publish, subscribe } = harness();
    const member = subscribe("t", { takesAll: false });
    const published = [publish("t", { id: "m" }), publish("t"), publish("unwanted")];
    member.accept();
    member.settle("m", retry(10, 2));
    member.refuse(10);
    outbox.close();
    expect(clock.timers).toBe(0);
    for (const { answers } of published) expect(answers.length).toBe(1);
    expect(outbox.messages).toBe(3);
  });

  test("set no timers any more once the outbox is closed, whatever late answers come", () => {
    const { clock, outbox, publish, subscribe } = harness();
    const members = [
      subscribe("t", { takesAll: false }),
      subscribe("t", { takesAll: false }),
      subscribe("t", { takesAll: false }),
    ];
    publish("t", { id: "m" });
    publish("t", { id: "n" });
    for (const member of members) member.accept();
    outbox.close();
    members[0]?.settle("m", retry(10, 2));
    members[1]?.refuse(10);
    const [entry] = members[2]?.held ?? [];
    if (entry !== undefined) outbox.lose(entry, true, 10);
    expect(clock.timers).toBe(0);
  });
});
