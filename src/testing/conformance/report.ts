import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Capabilities } from "../../capabilities.ts";
import type { CheckGroup, PromiseNumber } from "./check.ts";
import type { ProfileName } from "./profile.ts";

/** How a check ended. `not run`: `reason` says why. */
export type CheckOutcome = "passed" | "failed" | "not run";

/** What became of one check. */
export interface CheckResult {
  readonly name: string;
  readonly group: CheckGroup;
  readonly promises: readonly PromiseNumber[];
  readonly outcome: CheckOutcome;
  /** Why it did not run, or how it failed. */
  readonly reason?: string;
  /** How long it took, in milliseconds. */
  readonly ms: number;
}

/** The result of a run, as it is written for the capability matrix. */
export interface ConformanceReport {
  readonly driver: string;
  readonly profile: ProfileName;
  readonly capabilities: Capabilities;
  /** When the run ended, in ISO 8601. */
  readonly finishedAt: string;
  readonly passed: number;
  readonly failed: number;
  readonly notRun: number;
  readonly checks: readonly CheckResult[];
}

/** Puts results together. */
export function createReport(
  driver: string,
  profile: ProfileName,
  capabilities: Capabilities,
  checks: readonly CheckResult[],
): ConformanceReport {
  const count = (outcome: CheckOutcome): number => checks.filter((check) => check.outcome === outcome).length;
  const finishedAt = new Date().toISOString();
  return {
    driver,
    profile,
    capabilities,
    finishedAt,
    passed: count("passed"),
    failed: count("failed"),
    notRun: count("not run"),
    checks,
  };
}

/** Writes a report as JSON, making its folder. */
export async function writeReport(path: string, report: ConformanceReport): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(report, null, 2)}\n`);
}
