import { describe, expect, test } from "vitest";
import type { Driver } from "../../src/driver.ts";
import { conformance, type RunnableCheck, wrapDriver } from "../../src/testing/index.ts";
import { brokenDrivers } from "./broken/index.ts";
import { memoryHarness } from "./memory-harness.ts";

const DEADLINE_MS = 1_000;
const TEST_TIMEOUT_MS = 60_000;

/** Runs one check on the memory driver with something around it. */
async function runAround(name: string, wrap: (driver: Driver) => Driver, deadlineMs: number): Promise<void> {
  const kit = conformance(await memoryHarness(wrap), { deadlineMs, only: (check) => check.name === name });
  const [check] = kit.checks as [RunnableCheck?];
  try {
    expect(check, `the kit has no check "${name}"`).toBeDefined();
    expect(check?.notRun).toBeUndefined();
    await check?.run();
  } finally {
    await kit.finish();
  }
}

describe("the kit catches a driver that", () => {
  for (const { does, caughtBy, saying, deadlineMs = DEADLINE_MS, wrap } of brokenDrivers) {
    test.concurrent(`${does}: "${caughtBy}"`, { timeout: TEST_TIMEOUT_MS }, async () => {
      await expect(runAround(caughtBy, wrap, deadlineMs)).rejects.toThrow(saying);
    });
  }
});

describe("the kit passes a sane wrapper:", () => {
  for (const name of new Set(brokenDrivers.map((broken) => broken.caughtBy))) {
    test.concurrent(name, { timeout: TEST_TIMEOUT_MS }, async () => {
      await runAround(name, (driver) => wrapDriver(driver, {}), 15_000);
    });
  }
});
