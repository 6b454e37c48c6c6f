import { describe, expect, test } from "vitest";
import { ack, harness, release, retry } from "./harness.ts";

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
