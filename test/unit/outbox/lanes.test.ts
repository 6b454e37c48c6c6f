import { describe, expect, test } from "vitest";
import { outboxQueues } from "../../../src/outbox/queues.ts";
import { subscribeLocal } from "../../../src/outbox/subscribe-local.ts";
import { ack, harness, release, retry } from "./harness.ts";

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

describe("a backlog of very many messages", () => {
  // More than fit into one call as arguments.
  const MANY = 200_000;

  test("goes to the first who wants it, of one topic or of as many topics as messages", () => {
    for (const topicOf of [() => "t", (n: number) => `t.${n}`]) {
      const { clock, outbox, publication, subscribe } = harness({ maxMessages: MANY });
      const since = clock.now();
      const all = Array.from({ length: MANY }, (_, n) => publication(topicOf(n)).made);
      outbox.publish(all, 5_000);
      expect(outbox.oldestAt).toBe(since);
      expect(subscribe(">", { window: 1 }).lane.size).toBe(MANY);
    }
  });

  test("grows too old", () => {
    const { clock, outbox, givenUp, publication } = harness({ maxMessages: MANY, maxAgeMs: 10_000 });
    outbox.publish(
      Array.from({ length: MANY }, () => publication("t").made),
      5_000,
    );
    clock.advance(20_000);
    expect([outbox.messages, givenUp.length]).toEqual([0, MANY]);
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
