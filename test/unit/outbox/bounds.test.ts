import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import type { Entry } from "../../../src/outbox/entry.ts";
import { ack, dead, harness, retry } from "./harness.ts";

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
