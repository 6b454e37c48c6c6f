import { describe, expect, test } from "vitest";
import type { Driver } from "../../src/driver.ts";
import { allChecks } from "../../src/testing/conformance/all-checks.ts";
import { conformance, type RunnableCheck } from "../../src/testing/index.ts";
import { brokenResilience } from "./broken/resilience.ts";
import { type FakeEngine, fakeEngineHarness } from "./fake-engine-harness.ts";

/** A whole check may take four of them: on a loaded machine some need most of that. */
const DEADLINE_MS = 2_000;
const TEST_TIMEOUT_MS = 60_000;

/** Runs one check on a driver over a line that can break, with something around it. */
async function runAround(
  name: string,
  wrap: (driver: Driver, engine: FakeEngine) => Driver,
  deadlineMs: number,
): Promise<void> {
  const kit = conformance(await fakeEngineHarness(wrap), { deadlineMs, only: (check) => check.name === name });
  const [check] = kit.checks as [RunnableCheck?];
  try {
    expect(check, `the kit has no check "${name}"`).toBeDefined();
    expect(check?.notRun).toBeUndefined();
    await check?.run();
  } finally {
    await kit.finish();
  }
}

describe("the kit catches a driver over a broken line that", () => {
  for (const { does, caughtBy, saying, deadlineMs = DEADLINE_MS, wrap } of brokenResilience) {
    test.concurrent(`${does}: "${caughtBy}"`, { timeout: TEST_TIMEOUT_MS }, async () => {
      await expect(runAround(caughtBy, wrap, deadlineMs)).rejects.toThrow(saying);
    });
  }

  test("breaks any of the checks of resilience", () => {
    const caught = new Set(brokenResilience.map(({ caughtBy }) => caughtBy));
    const checks = allChecks().filter(({ group }) => group === "J");
    expect(checks.map(({ name }) => name).filter((name) => !caught.has(name))).toEqual([]);
  });
});
