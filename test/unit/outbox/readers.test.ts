import { expect, test } from "vitest";
import { dead, harness, retry } from "./harness.ts";

test("a dead letter that a reader failed on waits for that reader, and not for another one", () => {
  const { clock, outbox, publish, subscribe } = harness();
  const member = subscribe("t", { queue: "q" });
  publish("t", { id: "m" });
  member.settle("m", dead("dlq.t"));
  const first = subscribe("dlq.t");
  first.settle("m", retry(10_000, 2));
  clock.advance(5_000);
  expect(first.ids).toEqual(["m"]);
  outbox.removeMember(first.member, false);
  const second = subscribe("dlq.t");
  expect(second.ids).toEqual(["m"]);
  second.settle("m", retry(10_000, 3));
  // The first reader's delay ends here; it says nothing about the second's.
  clock.advance(6_000);
  expect(second.ids).toEqual(["m"]);
  clock.advance(4_000);
  expect(second.ids).toEqual(["m", "m"]);
});
