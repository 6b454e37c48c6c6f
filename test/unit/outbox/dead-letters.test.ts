import { describe, expect, test } from "vitest";
import { DEAD_LETTER_HEADERS } from "../../../src/dead-letter.ts";
import { outboxDeadLetters } from "../../../src/outbox/dead-letters.ts";
import { ack, dead, harness, release, retry } from "./harness.ts";

describe("a message that failed for good", () => {
  test("moves in one step, with its body, id and origin and with why, and nothing is counted twice", async () => {
    const { outbox, publish, subscribe } = harness();
    const member = subscribe("t", { queue: "q" });
    publish("t", { id: "m", body: "hello" });
    member.settle("m", dead("dlq.t", 3));
    expect(outbox.messages).toBe(1);
    const [letter] = await outboxDeadLetters(outbox).list("dlq.t");
    expect(letter).toMatchObject({
      id: "m",
      topic: "t",
      queue: "q",
      reason: "broken",
      attempts: 3,
      firstAt: new Date(1),
      lastAt: new Date(2),
    });
    expect({ ...letter?.header }).toEqual({});
    expect(Buffer.from(letter?.body ?? []).toString()).toBe("hello");
    const reader = subscribe("dlq.t");
    expect(Object.keys(reader.offers[0]?.header ?? {}).sort()).toEqual(Object.values(DEAD_LETTER_HEADERS).sort());
    reader.settle("m", ack);
    expect([outbox.messages, outbox.bytes]).toEqual([0, 0]);
  });

  test("leaves the copies of others alone", () => {
    const { outbox, publish, subscribe } = harness();
    const [one, two] = [subscribe("t"), subscribe("t")];
    publish("t", { id: "m" });
    one.settle("m", dead("dlq.t"));
    expect(outbox.messages).toBe(2);
    two.settle("m", ack);
    expect(outbox.messages).toBe(1);
  });

  test("goes nowhere where there is no dead-letter topic", () => {
    const { outbox, publish, subscribe } = harness();
    const member = subscribe("t");
    publish("t", { id: "m" });
    member.settle("m", dead(false));
    expect([outbox.messages, outbox.bytes, outbox.lanes.all().length]).toEqual([0, 0, 1]);
  });

  test("to a topic of its own goes to who subscribes there, and waits where nobody does", () => {
    const { publish, subscribe } = harness();
    const member = subscribe("t");
    for (const id of ["m", "n"]) publish("t", { id });
    member.settle("m", dead("graves"));
    const reader = subscribe("graves");
    member.settle("n", dead("graves"));
    expect(reader.ids).toEqual(["m", "n"]);
  });

  test("reaches named queues and patterns of dead letters as copies, and the standing queue keeps its own", async () => {
    const { outbox, publish, subscribe } = harness();
    const [copy, pattern, everything] = [subscribe("dlq.t", { queue: "copies" }), subscribe("dlq.>"), subscribe(">")];
    const member = subscribe("t");
    publish("t", { id: "m" });
    everything.settle("m", ack);
    member.settle("m", dead("dlq.t"));
    for (const one of [copy, pattern]) one.settle("m", ack);
    expect(everything.ids).toEqual(["m"]);
    expect((await outboxDeadLetters(outbox).list("dlq.t")).length).toBe(1);
  });

  test("is shared by readers without a queue, stays when one fails, and is gone when one acks", () => {
    const { clock, outbox, publish, subscribe } = harness();
    const member = subscribe("t");
    for (const id of ["m", "n"]) publish("t", { id });
    for (const id of ["m", "n"]) member.settle(id, dead("dlq.t"));
    const [one, two] = [subscribe("dlq.t", { window: 1 }), subscribe("dlq.t", { window: 1 })];
    expect([one.ids, two.ids]).toEqual([["m"], ["n"]]);
    one.settle("m", retry(10, 2));
    two.settle("n", ack);
    clock.advance(10);
    expect([...one.ids, ...two.ids].filter((id) => id === "m").length).toBe(2);
    for (const reader of [one, two]) if (reader.held.length > 0) reader.settle("m", ack);
    expect(outbox.messages).toBe(0);
  });

  test("leaves no empty queue behind", () => {
    const { outbox, publish, subscribe } = harness();
    const member = subscribe("t");
    publish("t", { id: "m" });
    member.settle("m", dead("dlq.t"));
    const reader = subscribe("dlq.t");
    reader.settle("m", ack);
    outbox.removeMember(reader.member, false);
    expect(outbox.lanes.all().map(({ pattern }) => pattern)).toEqual(["t"]);
    const again = subscribe("dlq.t");
    publish("t", { id: "n" });
    member.settle("n", dead("dlq.t"));
    expect(again.ids).toEqual(["n"]);
  });
});

describe("redrive", () => {
  test("sends back to the queue that failed, and to no other: same id, attempt 1, without the added headers", async () => {
    const { outbox, publish, subscribe } = harness();
    const [failed, fine] = [subscribe("t", { queue: "failed" }), subscribe("t", { queue: "fine" })];
    publish("t", { id: "m", body: "hello" });
    fine.settle("m", ack);
    failed.settle("m", dead("dlq.t", 5));
    expect(await outboxDeadLetters(outbox).redrive("dlq.t", {})).toBe(1);
    expect(fine.ids).toEqual(["m"]);
    expect(failed.ids).toEqual(["m", "m"]);
    const [, again] = failed.offers;
    expect(again).toMatchObject({ id: "m", topic: "t", attempt: 1, firstFailureAt: undefined });
    expect({ ...again?.header }).toEqual({});
    expect(Buffer.from(again?.body ?? []).toString()).toBe("hello");
    failed.settle("m", ack);
    expect([outbox.messages, outbox.bytes]).toEqual([0, 0]);
  });

  test("sends back in order, all or one, and counts them", async () => {
    const { outbox, publish, subscribe } = harness();
    const member = subscribe("t.*", { queue: "q" });
    for (const [index, id] of ["m0", "m1", "m2"].entries()) publish(`t.${index}`, { id });
    for (const id of ["m1", "m0", "m2"]) member.settle(id, dead("dlq.t"));
    const letters = outboxDeadLetters(outbox);
    expect((await letters.list("dlq.t")).map(({ id }) => id)).toEqual(["m1", "m0", "m2"]);
    expect(await letters.redrive("dlq.t", { ids: new Set(["m0"]) })).toBe(1);
    expect(member.offers.at(-1)).toMatchObject({ id: "m0", topic: "t.0" });
    expect(await letters.redrive("dlq.t", { ids: new Set(["nobody"]) })).toBe(0);
    expect(await letters.redrive("dlq.t", {})).toBe(2);
    expect(member.ids.slice(-2)).toEqual(["m1", "m2"]);
    expect(await letters.redrive("dlq.t", {})).toBe(0);
    expect(await letters.redrive("dlq.other", {})).toBe(0);
  });

  test("goes to a queue without members, which keeps it", async () => {
    const { outbox, publish, subscribe } = harness();
    const member = subscribe("t", { queue: "q" });
    publish("t", { id: "m" });
    member.settle("m", dead("dlq.t"));
    outbox.removeMember(member.member, false);
    expect(await outboxDeadLetters(outbox).redrive("dlq.t", {})).toBe(1);
    expect(subscribe("t", { queue: "q" }).ids).toEqual(["m"]);
  });

  test("reaches a broadcast subscription only while it lives; otherwise the letter stays", async () => {
    const { outbox, publish, subscribe } = harness();
    const [living, leaving] = [subscribe("t"), subscribe("t")];
    publish("t", { id: "m" });
    for (const member of [living, leaving]) member.settle("m", dead("dlq.t"));
    outbox.removeMember(leaving.member, false);
    outbox.removeLane(leaving.lane, undefined);
    const letters = outboxDeadLetters(outbox);
    expect(await letters.redrive("dlq.t", {})).toBe(1);
    expect(living.ids).toEqual(["m", "m"]);
    expect((await letters.list("dlq.t")).length).toBe(1);
  });

  test("and drop leave alone what a reader holds, until it comes back", async () => {
    const { outbox, publish, subscribe } = harness();
    const member = subscribe("t", { queue: "q" });
    publish("t", { id: "m" });
    member.settle("m", dead("dlq.t"));
    const reader = subscribe("dlq.t");
    const letters = outboxDeadLetters(outbox);
    expect((await letters.list("dlq.t")).length).toBe(1);
    expect([await letters.redrive("dlq.t", {}), await letters.drop("dlq.t", {})]).toEqual([0, 0]);
    reader.member.leave();
    reader.settle("m", release);
    expect(await letters.drop("dlq.t", { ids: new Set(["m"]) })).toBe(1);
    expect([outbox.messages, outbox.bytes]).toEqual([0, 0]);
  });

  test("of what waits for a reader's next try ends that try", async () => {
    const { clock, outbox, publish, subscribe } = harness();
    const member = subscribe("t", { queue: "q" });
    publish("t", { id: "m" });
    member.settle("m", dead("dlq.t"));
    const reader = subscribe("dlq.t");
    reader.settle("m", retry(1_000, 2));
    expect(await outboxDeadLetters(outbox).redrive("dlq.t", {})).toBe(1);
    member.settle("m", ack);
    clock.advance(2_000);
    expect(reader.ids).toEqual(["m"]);
    expect(outbox.messages).toBe(0);
  });

  test("leaves alone what was published to a dead-letter topic by hand", async () => {
    const { outbox, publish } = harness();
    publish("dlq.t", { id: "m" });
    const letters = outboxDeadLetters(outbox);
    expect(await letters.redrive("dlq.t", {})).toBe(0);
    expect(await letters.list("dlq.t")).toMatchObject([{ id: "m", topic: "dlq.t", reason: "", attempts: 0 }]);
    expect(await letters.drop("dlq.t", {})).toBe(1);
  });

  test("hands out copies: who changes a listed body changes nothing", async () => {
    const { outbox, publish, subscribe } = harness();
    const member = subscribe("t", { queue: "q" });
    publish("t", { id: "m", body: "hello" });
    member.settle("m", dead("dlq.t"));
    const letters = outboxDeadLetters(outbox);
    (await letters.list("dlq.t"))[0]?.body.fill(0);
    await letters.redrive("dlq.t", {});
    expect(Buffer.from(member.offers[1]?.body ?? []).toString()).toBe("hello");
  });
});
