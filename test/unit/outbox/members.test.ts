import { describe, expect, test } from "vitest";
import { ack, dead, harness } from "./harness.ts";

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
