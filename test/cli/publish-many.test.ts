import { describe, expect, test } from "vitest";
import { type PublishPlan, publishMany } from "../../src/cli/publish-many.ts";
import type { Receipt } from "../../src/receipt.ts";

function plan(options: Partial<PublishPlan> & Pick<PublishPlan, "count">): PublishPlan {
  let n = 0;
  return {
    rate: undefined,
    publish: async () => ({ id: String(n++), state: "accepted" }),
    onReceipt: async () => {},
    stop: new AbortController().signal,
    ...options,
  };
}

describe("publishMany", () => {
  test("publishes as often as asked, and tells receipts in order", async () => {
    const ids: string[] = [];
    const onReceipt = async ({ id }: Receipt) => {
      ids.push(id);
    };
    expect(await publishMany(plan({ count: 1_000, onReceipt }))).toBeUndefined();
    expect(ids).toEqual(Array.from({ length: 1_000 }, (_, n) => String(n)));
  });

  test("keeps a bounded number under way", async () => {
    let open = 0;
    let most = 0;
    const publish = async (): Promise<Receipt> => {
      open += 1;
      most = Math.max(most, open);
      await new Promise(setImmediate);
      open -= 1;
      return { id: "x", state: "accepted" };
    };
    await publishMany(plan({ count: 2_000, publish }));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(256);
  });

  test("stops at the first error, and returns it when the others are answered", async () => {
    let calls = 0;
    const receipts: string[] = [];
    const publish = async (): Promise<Receipt> => {
      calls += 1;
      if (calls === 3) throw new Error("full");
      return { id: String(calls), state: "accepted" };
    };
    const onReceipt = async ({ id }: Receipt) => {
      receipts.push(id);
    };
    expect(await publishMany(plan({ count: 1_000_000, rate: 1_000, publish, onReceipt }))).toEqual(new Error("full"));
    expect(receipts.slice(0, 2)).toEqual(["1", "2"]);
    expect(calls).toBeLessThan(1_000);
  });

  test("keeps to a rate", async () => {
    const startedAt = performance.now();
    await publishMany(plan({ count: 11, rate: 100 }));
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(98);
  });

  test.each([undefined, 1])("stops when it is told to, at rate %s", async (rate) => {
    const stop = new AbortController();
    let calls = 0;
    const publish = async (): Promise<Receipt> => {
      calls += 1;
      if (calls === 5 || rate === 1) setImmediate(() => stop.abort());
      return { id: "x", state: "accepted" };
    };
    expect(await publishMany(plan({ count: 10_000_000, rate, publish, stop: stop.signal }))).toBeUndefined();
    expect(calls).toBeLessThan(10_000);
  });
});
