import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Publication } from "../../src/driver.ts";
import { createBroker, silentLogger } from "../../src/index.ts";
import { ScriptedDelivery, ScriptedDriver } from "./support/scripted-driver.ts";

const LARGE_BYTES = 64 * 1024;

/** A connected broker on a scripted driver that confirms nothing by itself. */
async function connected() {
  const driver = new ScriptedDriver({ deadLetterMove: "publish" });
  driver.onPublish = () => {};
  const broker = createBroker(driver, { logger: silentLogger });
  await broker.connect();
  /** Publishes a body, and resolves with what the driver got. */
  const publish = async (body: Uint8Array | string) => {
    const receipt = broker.publish("t", { body });
    receipt.catch(() => {});
    await expect.poll(() => driver.published.at(-1)?.bytes).toBe(Buffer.byteLength(body));
    return { receipt, publication: driver.published.at(-1) as Publication };
  };
  return { driver, broker, publish };
}

function answerAndGiveBack(publication: Publication): void {
  publication.confirm("stored");
  publication.giveBackBody?.();
}

describe("a large body that its driver gives back", () => {
  test("lends its memory to the next, and to no two at a time", async () => {
    const { broker, driver } = await connected();
    const size = fc.oneof(fc.integer({ min: 16 * 1024, max: 100_000 }), fc.constant(LARGE_BYTES), fc.nat(100));
    const step = fc.record({ size, answers: fc.nat({ max: 3 }), text: fc.boolean() });
    let used = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const waiting: { publication: Publication; expected: Buffer }[] = [];
        const seen = new Set<unknown>();
        const receipts: Promise<unknown>[] = [];
        for (const [index, { size, answers, text }] of steps.entries()) {
          const expected = Buffer.alloc(size, 97 + (index % 26));
          receipts.push(broker.publish("t", { body: text ? expected.toString() : expected }));
          await new Promise(setImmediate);
          const publication = driver.published.at(-1) as Publication;
          if (size >= 16 * 1024 && seen.has(publication.body.buffer)) used += 1;
          seen.add(publication.body.buffer);
          waiting.push({ publication, expected });
          for (const { publication, expected } of waiting) expect(expected.equals(publication.body)).toBe(true);
          for (const { publication } of waiting.splice(0, answers)) answerAndGiveBack(publication);
        }
        for (const { publication } of waiting) answerAndGiveBack(publication);
        await Promise.all(receipts);
      }),
      { numRuns: 50 },
    );
    expect(used).toBeGreaterThan(0);
    await broker.disconnect();
  });

  test("is given back once, however often its driver says so", async () => {
    const { broker, publish } = await connected();
    const first = await publish(Buffer.alloc(LARGE_BYTES, 1));
    answerAndGiveBack(first.publication);
    first.publication.giveBackBody?.();
    const [second, third] = [await publish(Buffer.alloc(LARGE_BYTES, 2)), await publish(Buffer.alloc(LARGE_BYTES, 3))];
    expect(second.publication.body.buffer).not.toBe(third.publication.body.buffer);
    for (const { publication } of [second, third]) publication.confirm("stored");
    await broker.disconnect();
  });

  test("is the broker's copy, not what the publisher gave", async () => {
    const { broker, publish } = await connected();
    const own = Buffer.alloc(LARGE_BYTES, 1);
    answerAndGiveBack((await publish(own)).publication);
    const next = await publish(Buffer.alloc(LARGE_BYTES, 2));
    expect(own.every((byte) => byte === 1)).toBe(true);
    next.publication.confirm("stored");
    await broker.disconnect();
  });

  test("is left alone where it is a dead letter's: its delivery may still be read", async () => {
    const { broker, driver, publish } = await connected();
    await broker.subscribe("t", (delivery) => delivery.reject("no"));
    const body = Buffer.alloc(LARGE_BYTES, 1);
    driver.requests[0]?.deliver(Object.assign(new ScriptedDelivery({ id: "1" }), { body }));
    await expect.poll(() => driver.published.length).toBe(1);
    answerAndGiveBack(driver.published[0] as Publication);
    const next = await publish(Buffer.alloc(LARGE_BYTES, 2));
    expect(next.publication.body.buffer).not.toBe(body.buffer);
    expect(body.every((byte) => byte === 1)).toBe(true);
    next.publication.confirm("stored");
    await broker.disconnect();
  });
});
