import fc from "fast-check";
import { expect, test } from "vitest";
import { BrokerError, createBroker, silentLogger } from "../../src/index.ts";
import { ScriptedDriver } from "./support/scripted-driver.ts";

const KIBIBYTE = 1024;

/** A connected broker on a scripted driver that notes the bytes of each message, batch by batch. */
async function connected() {
  const driver = new ScriptedDriver();
  const batches: number[][] = [];
  const { publish } = driver;
  driver.publish = (publications) => {
    batches.push(publications.map(({ bytes }) => bytes));
    publish.call(driver, publications);
  };
  const broker = createBroker(driver, { logger: silentLogger });
  await broker.connect();
  const publishAll = (sizes: readonly number[]) =>
    Promise.all(sizes.map((size) => broker.publish("t", { body: new Uint8Array(size) })));
  return { driver, broker, batches, publishAll };
}

test("what one turn publishes goes down in parts of 128 KiB of large messages, in order, and each message once", async () => {
  const { broker, batches, publishAll } = await connected();
  const size = fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 200 * KIBIBYTE }), fc.constantFrom(64 * KIBIBYTE, 0));
  await fc.assert(
    fc.asyncProperty(fc.array(size, { maxLength: 40 }), async (sizes) => {
      batches.length = 0;
      await publishAll(sizes);
      expect(batches.flat()).toEqual(sizes);
      const bytes = (batch: readonly number[]) => batch.reduce((sum, one) => sum + (one >= 16 * KIBIBYTE ? one : 0), 0);
      for (const batch of batches) expect(bytes(batch.slice(0, -1))).toBeLessThan(128 * KIBIBYTE);
      for (const batch of batches.slice(0, -1)) expect(bytes(batch)).toBeGreaterThanOrEqual(128 * KIBIBYTE);
    }),
    { numRuns: 200 },
  );
  await broker.disconnect();
});

test("small messages stay together, however many they are", async () => {
  const { broker, batches, publishAll } = await connected();
  await publishAll(Array.from({ length: 100 }, () => 16 * KIBIBYTE - 1));
  expect(batches.map(({ length }) => length)).toEqual([100]);
  await broker.disconnect();
});

test("what a part sets off runs before the next part", async () => {
  const { driver, broker, publishAll } = await connected();
  const seen: string[] = [];
  driver.onPublish = (publication) => {
    seen.push("sent");
    void Promise.resolve().then(() => seen.push("handled"));
    publication.confirm("stored");
  };
  await publishAll(Array.from({ length: 5 }, () => 64 * KIBIBYTE));
  expect(seen).toEqual(["sent", "sent", "handled", "handled", "sent", "sent", "handled", "handled", "sent", "handled"]);
  await broker.disconnect();
});

test("a connection that is lost between two parts holds the rest back, in order", async () => {
  const { driver, broker, batches, publishAll } = await connected();
  driver.onPublish = (publication) => {
    publication.confirm("stored");
    if (batches.length === 1) driver.context?.onDown(new BrokerError("ERR_CONNECTION_LOST", "cut"));
  };
  const sizes = [1, 2, 3, 4].map((extra) => 64 * KIBIBYTE + extra);
  const published = publishAll(sizes);
  await expect.poll(() => broker.status).toBe("reconnecting");
  expect(batches.flat()).toEqual(sizes.slice(0, 2));
  driver.context?.onUp();
  await published;
  expect(batches.flat()).toEqual(sizes);
  await broker.disconnect();
});

test("a disconnect in the turn of large publishes sends them all", async () => {
  const { broker, batches, publishAll } = await connected();
  const sizes = Array.from({ length: 9 }, () => 64 * KIBIBYTE);
  const published = publishAll(sizes);
  await broker.disconnect();
  await published;
  expect(batches.flat()).toEqual(sizes);
});
