import { describe, expect, test } from "vitest";
import { outboxQueues } from "../../../src/outbox/queues.ts";
import { ack, harness } from "./harness.ts";

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
