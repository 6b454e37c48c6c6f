import { queryObjects } from "node:v8";
import { expect, test } from "vitest";
import type { Broker } from "../../src/broker.ts";
import { http } from "../../src/drivers/http/index.ts";
import { memory as memoryDriver } from "../../src/drivers/memory/index.ts";
import { createBroker } from "../../src/index.ts";
import { deferred } from "../../src/internal/deferred.ts";
import { silentLogger } from "../../src/logger.ts";
import { memory } from "../../src/registries/memory.ts";

/** How many flushes are given up. */
const COUNT = 500;

const quiet = { logger: silentLogger, onError: () => {} };
const brokers: [string, () => Broker<unknown>][] = [
  ["memory", () => createBroker(memoryDriver(), quiet)],
  ["http", () => createBroker(http({ registry: memory() }), quiet)],
];

/** How many promises are in memory after garbage was collected. */
async function promises(): Promise<number> {
  await new Promise((resolve) => setImmediate(resolve));
  return queryObjects(Promise, { format: "count" });
}

test.each(brokers)("a flush that was aborted leaves nothing behind: %s", async (_name, open) => {
  await using broker = open();
  await broker.connect();
  const free = deferred<void>();
  await broker.subscribe("t", () => free.promise);
  await broker.publish("t", { body: "in hand" });
  const answers = new Set<unknown>();
  const before = await promises();
  for (let n = 0; n < COUNT; n += 1) {
    const stop = new AbortController();
    const flushing = broker.flush({ signal: stop.signal });
    await new Promise((resolve) => setImmediate(resolve));
    stop.abort(new Error("enough"));
    // Not with `expect`, which keeps what it is given until the test ends.
    answers.add(await flushing.catch(({ message }: Error) => message));
  }
  const more = (await promises()) - before;
  free.resolve();
  expect([...answers]).toEqual(["enough"]);
  expect(more).toBeLessThan(COUNT / 2);
});
