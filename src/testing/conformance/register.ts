import { type Conformance, type ConformanceOptions, conformance, type RunnableCheck } from "./conformance.ts";
import type { ConformanceHarness } from "./harness.ts";

/** The functions of vitest that the kit uses; `import { afterAll, describe, test } from "vitest"` fits. */
export interface VitestLike {
  describe(name: string, define: () => void): unknown;
  test(
    name: string,
    options: { timeout: number; concurrent: boolean },
    run: (context: { skip(reason: string): unknown }) => unknown,
  ): unknown;
  afterAll(run: () => unknown, timeoutMs: number): unknown;
}

/** The functions of node:test that the kit uses; `import { after, describe, test } from "node:test"` fits. */
export interface NodeTestLike {
  describe(name: string, options: { concurrency: number }, define: () => void): unknown;
  test(name: string, options: { timeout: number; skip: string | false }, run: () => Promise<void>): unknown;
  after(run: () => unknown): unknown;
}

/** Options of the adapters. */
export interface RegisterOptions extends ConformanceOptions {
  /** Whether checks run at the same time, as many as the runner allows. Default true. */
  parallel?: boolean;
}

const CLOSE_TIMEOUT_MS = 60_000;
const NODE_TEST_CONCURRENCY = 5;

/** Makes every check a vitest test. A check that does not run is skipped with its reason. */
export function registerWithVitest(
  vitest: VitestLike,
  harness: ConformanceHarness,
  options: RegisterOptions = {},
): Conformance {
  const kit = conformance(harness, options);
  vitest.describe(kit.title, () => {
    for (const check of kit.checks) {
      const settings = { timeout: check.timeoutMs, concurrent: (options.parallel ?? true) && !check.alone };
      vitest.test(title(check), settings, (context) =>
        check.notRun === undefined ? check.run() : context.skip(check.notRun),
      );
    }
    vitest.afterAll(() => kit.finish(), CLOSE_TIMEOUT_MS);
  });
  return kit;
}

/** Makes every check a test of node:test. A check that does not run is skipped with its reason. */
export function registerWithNodeTest(
  nodeTest: NodeTestLike,
  harness: ConformanceHarness,
  options: RegisterOptions = {},
): Conformance {
  const kit = conformance(harness, options);
  const suite = (name: string, concurrency: number, checks: readonly RunnableCheck[]): void => {
    if (checks.length === 0) return;
    nodeTest.describe(name, { concurrency }, () => {
      for (const check of checks)
        nodeTest.test(title(check), { timeout: check.timeoutMs, skip: check.notRun ?? false }, () => check.run());
    });
  };
  nodeTest.describe(kit.title, { concurrency: 1 }, () => {
    const together = kit.checks.filter((check) => !check.alone);
    suite("at the same time", (options.parallel ?? true) ? NODE_TEST_CONCURRENCY : 1, together);
    const alone = kit.checks.filter((check) => check.alone);
    suite("one at a time", 1, alone);
    nodeTest.after(() => kit.finish());
  });
  return kit;
}

function title(check: { readonly name: string; readonly promises: readonly string[] }): string {
  return `${check.name} (${check.promises.join(", ")})`;
}
