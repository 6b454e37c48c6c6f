import { describe, expect, test } from "vitest";
import { Taker } from "../../src/cli/taker.ts";
import type { Delivery } from "../../src/delivery.ts";

interface FakeDelivery {
  readonly delivery: Delivery;
  readonly calls: string[];
}

function fakeDelivery(ack: () => Promise<void> = async () => {}): FakeDelivery {
  const calls: string[] = [];
  const delivery = {
    ack() {
      calls.push("ack");
      return ack();
    },
    async nack() {
      calls.push("nack");
    },
  };
  return { delivery: delivery as Partial<Delivery> as Delivery, calls };
}

describe("a taker", () => {
  test("keeps the slots of the last handlers until the subscription stops", async () => {
    const taker = new Taker(2, async () => {});
    const freed: string[] = [];
    const handlers = ["one", "two"].map((name) => taker.take(fakeDelivery().delivery).then(() => freed.push(name)));
    let freedBefore = -1;
    await taker.ended(async () => {
      freedBefore = freed.length;
    });
    await Promise.all(handlers);
    expect(freedBefore).toBe(0);
    expect(freed).toEqual(["one", "two"]);
  });

  test("fails with what printing throws, and gives the message back", async () => {
    const failure = new Error("disk full");
    const taker = new Taker(undefined, () => Promise.reject(failure));
    const { delivery, calls } = fakeDelivery();
    const handler = taker.take(delivery);
    await expect(taker.ended(async () => {})).rejects.toBe(failure);
    await handler;
    expect(calls).toEqual(["nack"]);
  });

  test("fails with what acknowledging throws: the message may come again", async () => {
    const failure = new Error("stale");
    const taker = new Taker(1, async () => {});
    const { delivery, calls } = fakeDelivery(() => Promise.reject(failure));
    const handler = taker.take(delivery);
    await expect(taker.ended(async () => {})).rejects.toBe(failure);
    await handler;
    expect(calls).toEqual(["ack"]);
  });

  test("stops the subscription also when it failed before", async () => {
    const taker = new Taker(undefined, async () => {});
    taker.fail(new Error("lost"));
    let stopped = false;
    await expect(
      taker.ended(async () => {
        stopped = true;
      }),
    ).rejects.toThrow("lost");
    expect(stopped).toBe(true);
  });
});
