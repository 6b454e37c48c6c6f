import { describe, expect, test } from "vitest";
import type { Entry } from "../../../src/outbox/entry.ts";
import { queueLaneId } from "../../../src/outbox/lane-ids.ts";
import { Member } from "../../../src/outbox/member.ts";
import { harness } from "./harness.ts";

describe("a pipelined member", () => {
  /** A member whose carrier keeps the order by itself. */
  function pipelined(room: number) {
    const { outbox, publish, clock } = harness();
    const lane = outbox.lanes.open(queueLaneId("t", "q"), "queue", "t", "q");
    const offers: Entry[] = [];
    const state = { starved: 0, flow: { open: true } };
    const member = new Member("p", 0, {
      pipelined: true,
      offer: (entry) => void offers.push(entry),
      starve: () => {
        state.starved += 1;
      },
    });
    member.room = room;
    member.flow = state.flow;
    outbox.addMember(lane, member);
    return { outbox, publish, clock, lane, member, offers, state, ids: () => offers.map(({ id }) => id) };
  }

  test("is offered as many messages as it has room for, before it has taken any; then it hears that more wait", () => {
    const { publish, ids, outbox, member, lane, state } = pipelined(2);
    for (const id of ["a", "b", "c"]) publish("t", { id });
    expect([ids(), member.room, state.starved]).toEqual([["a", "b"], 0, 1]);
    member.room += 1;
    outbox.dispatch(lane);
    expect(ids()).toEqual(["a", "b", "c"]);
  });

  test("is offered nothing while its carrier cannot send", () => {
    const { publish, ids, outbox, lane, state } = pipelined(2);
    state.flow.open = false;
    publish("t", { id: "a" });
    expect(ids()).toEqual([]);
    state.flow.open = true;
    outbox.dispatch(lane);
    expect(ids()).toEqual(["a"]);
  });

  test("answers for what it took in any order, and settling gives it no room by itself", () => {
    const { publish, offers, outbox, member } = pipelined(3);
    const published = ["a", "b", "c"].map((id) => publish("t", { id }));
    const [a, b, c] = offers as [Entry, Entry, Entry];
    outbox.settle(c, { kind: "ack" });
    outbox.accept(a);
    expect(published.map(({ answers }) => answers)).toEqual([["accepted"], [], ["accepted"]]);
    outbox.settle(b, { kind: "ack" });
    outbox.settle(a, { kind: "ack" });
    expect([outbox.messages, member.entries.size, member.room]).toEqual([0, 0, 0]);
  });

  test("whose messages are taken back gives them to the next in order; those it had taken have used an attempt where that counts", () => {
    const { publish, offers, outbox, member, lane } = pipelined(3);
    for (const id of ["a", "b", "c", "d"]) publish("t", { id });
    outbox.accept(offers[0] as Entry);
    outbox.takeBack([...offers], (entry) => entry.state === "accepted");
    expect([...lane.ready].map(({ id, attempt }) => [id, attempt])).toEqual([
      ["a", 2],
      ["b", 1],
      ["c", 1],
      ["d", 1],
    ]);
    member.room = 4;
    outbox.dispatch(lane);
    expect(offers.slice(3).map(({ id }) => id)).toEqual(["a", "b", "c", "d"]);
  });

  test("has again what was taken back from it and nobody else has got, and nothing else", () => {
    const { publish, offers, outbox, member, lane } = pipelined(3);
    for (const id of ["a", "b", "c", "d"]) publish("t", { id });
    const [a, b, c] = offers as [Entry, Entry, Entry];
    outbox.takeBack([a, b, c], () => false);
    expect(outbox.reclaim(b, member)).toBe(true);
    expect([b.state, [...lane.ready].map(({ id }) => id)]).toEqual(["offered", ["a", "c", "d"]]);
    expect(outbox.reclaim(b, member)).toBe(false);
    member.room = 1;
    outbox.dispatch(lane);
    expect(outbox.reclaim(a, member)).toBe(false);
    outbox.settle(b, { kind: "ack" });
    expect(outbox.messages).toBe(3);
  });

  test("gets what was published while the outbox was held, in order, when it is released", () => {
    const { publish, ids, outbox } = pipelined(5);
    outbox.hold();
    outbox.hold();
    for (const id of ["a", "b"]) publish("t", { id });
    outbox.release();
    expect(ids()).toEqual([]);
    outbox.release();
    expect(ids()).toEqual(["a", "b"]);
  });
});
