import { afterEach, describe, expect, test, vi } from "vitest";
import { SERVICE_NAMES } from "../../src/drivers/http/service-names.ts";
import { local } from "../../src/registries/local/index.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { openBroker, registryFolder } from "./support/brokers.ts";

const HOUR_MS = 3_600_000;

/** Sets the system's time forward (or back) by so much, for this process. Its timers go on as they were: no system sets those. */
function setSystemTime(byMs: number): void {
  const now = Date.now.bind(Date);
  vi.spyOn(Date, "now").mockImplementation(() => now() + byMs);
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each([
  ["back", -HOUR_MS],
  ["forward", HOUR_MS],
])("the system's time is set %s by an hour", (_where, byMs) => {
  test("retries come and time limits end when they were to", async () => {
    const folder = await registryFolder();
    const publisher = await openBroker(folder);
    const subscriber = await openBroker(folder);
    const retried: number[] = [];
    const aborted: number[] = [];
    await subscriber.broker.subscribe(
      "t.retried",
      ({ attempt }) => {
        retried.push(attempt);
        if (attempt === 1) throw new Error("not yet");
      },
      { backoffMs: 500 },
    );
    await subscriber.broker.subscribe(
      "t.limited",
      ({ attempt, signal }) =>
        attempt > 1
          ? undefined
          : new Promise<void>((resolve) => {
              signal.addEventListener("abort", () => {
                aborted.push(attempt);
                resolve();
              });
            }),
      { ackTimeoutMs: 500, backoffMs: 1 },
    );
    await publisher.broker.publish("t.retried", { body: "x" });
    await publisher.broker.publish("t.limited", { body: "x" });
    await until(() => retried.length === 1, { what: "the first attempt failed" });
    const before = performance.now();
    setSystemTime(byMs);
    await until(() => retried.length === 2 && aborted.length === 1, {
      what: "the retry came and the time limit ended",
      detail: () => JSON.stringify({ retried, aborted }),
    });
    if (byMs > 0) expect(performance.now() - before).toBeGreaterThan(250);
    await publisher.broker.flush({ signal: AbortSignal.timeout(5_000) });
  });

  test("processes that come soon after find those that were there", async () => {
    const folder = await registryFolder();
    await openBroker(folder);
    const { broker } = await openBroker(folder);
    await broker.subscribe("t.x", () => {});
    setSystemTime(byMs);
    const registry = local({ folder });
    await until(async () => (await registry.getService(SERVICE_NAMES.peers))[0]?.nodes.length === 2, {
      what: "the registry names both",
      deadlineMs: 8_000,
    });
    const late = await openBroker(folder);
    expect((await late.broker.publish("t.x", { body: "x" })).state).toBe("accepted");
  });

  test("dead letters tell the time that it is then, and disconnecting takes no longer than it may", async () => {
    const folder = await registryFolder();
    const { broker } = await openBroker(folder, {}, { drainTimeoutMs: 300 });
    await broker.subscribe("t.x", (delivery) => delivery.reject("no"), { queue: "q", autoAck: false });
    setSystemTime(byMs);
    await broker.publish("t.x", { body: "x" });
    const [letter] = await until(
      async () => {
        const letters = await broker.deadLetters.list("dlq.t.x");
        return letters.length > 0 ? letters : undefined;
      },
      { what: "there was a dead letter" },
    );
    expect(Math.abs((letter?.lastAt.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
    const before = performance.now();
    const leaving = broker.disconnect().catch(() => {});
    setSystemTime(byMs);
    await leaving;
    expect(performance.now() - before).toBeLessThan(5_000);
  });
});
