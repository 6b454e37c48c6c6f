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
    const taker = new Taker(2, async () => {}, 2);
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

  test("leaves no slot free for one more than asked for, however the messages come while it subscribes", async () => {
    const printed: string[] = [];
    const taker = new Taker(
      5,
      async () => {
        printed.push("x");
      },
      5,
    );
    // A subscription of five slots, and more messages than slots; the first two are done before the others come.
    let free = 5;
    const handlers: Promise<void>[] = [];
    const start = () => {
      free -= 1;
      const handler = taker.take(fakeDelivery().delivery).then(() => {
        free += 1;
      });
      handlers.push(handler);
    };
    for (let n = 0; n < 2; n += 1) start();
    await new Promise((resolve) => setImmediate(resolve));
    for (let n = 0; n < 10; n += 1) {
      if (free > 0) start();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(printed.length).toBe(5);
    await taker.ended(async () => {});
    await Promise.all(handlers);
  });

  test("fails with what printing throws, and gives the message back", async () => {
    const failure = new Error("disk full");
    const taker = new Taker(undefined, () => Promise.reject(failure), 16);
    const { delivery, calls } = fakeDelivery();
    const handler = taker.take(delivery);
    await expect(taker.ended(async () => {})).rejects.toBe(failure);
    await handler;
    expect(calls).toEqual(["nack"]);
  });

  test("fails with what acknowledging throws: the message may come again", async () => {
    const failure = new Error("stale");
    const taker = new Taker(1, async () => {}, 1);
    const { delivery, calls } = fakeDelivery(() => Promise.reject(failure));
    const handler = taker.take(delivery);
    await expect(taker.ended(async () => {})).rejects.toBe(failure);
    await handler;
    expect(calls).toEqual(["ack"]);
  });

  test("stops the subscription also when it failed before", async () => {
    const taker = new Taker(undefined, async () => {}, 16);
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
