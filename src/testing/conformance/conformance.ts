import { describeError } from "../../errors.ts";
import { allChecks } from "./all-checks.ts";
import type { CheckGroup, ConformanceCheck, PromiseNumber } from "./check.ts";
import type { ConformanceHarness } from "./harness.ts";
import { PROFILES, type Profile, type ProfileName } from "./profile.ts";
import { type CheckResult, type ConformanceReport, createReport, writeReport } from "./report.ts";
import { checkTimeoutMs, runCheck } from "./run-check.ts";

/** Options of {@link conformance}. */
export interface ConformanceOptions {
  /** The sizes. Default `"quick"`. */
  profile?: ProfileName;
  /** Where the JSON report is written after the run. Default nowhere. */
  report?: string;
  /** How long a condition may take, in milliseconds. Default the profile's: 15,000 or 60,000. */
  deadlineMs?: number;
  /** Which checks are listed at all. Default all. */
  only?: (check: ConformanceCheck) => boolean;
}

/** A check, ready to run on one harness. */
export interface RunnableCheck {
  readonly name: string;
  readonly group: CheckGroup;
  readonly promises: readonly PromiseNumber[];
  /** Why it does not run here; `undefined`: it does. */
  readonly notRun: string | undefined;
  /** How long it may take, clean-up included, in milliseconds: for the runner's own limit. */
  readonly timeoutMs: number;
  /** It must run when no other check does. */
  readonly alone: boolean;
  /** Runs it and keeps the result. Checks may run at the same time, but for those that say otherwise. @throws what it failed with. */
  run(): Promise<void>;
}

/** The kit, set up for one harness. */
export interface Conformance {
  readonly title: string;
  readonly checks: readonly RunnableCheck[];
  /** Call it after the last check: closes the harness, writes the report and resolves with it. */
  finish(): Promise<ConformanceReport>;
}

/** Sets the kit up for a harness: a list of checks for any test runner. */
export function conformance(harness: ConformanceHarness, options: ConformanceOptions = {}): Conformance {
  const profile = profileOf(options);
  const results = new Map<string, CheckResult>();
  const checks = allChecks().filter((check) => options.only?.(check) ?? true);
  const { capabilities } = harness;
  const runnable = checks.map((check): RunnableCheck => {
    const { name, group, promises } = check;
    const notRun = check.needs?.({ capabilities, harness });
    if (notRun !== undefined) results.set(name, { name, group, promises, outcome: "not run", reason: notRun, ms: 0 });
    const timeoutMs = 2 * checkTimeoutMs(check, profile) + 5_000;
    const alone = check.alone === true || group === "M";
    return { name, group, promises, notRun, timeoutMs, alone, run: () => runAndKeep(check, harness, profile, results) };
  });
  return {
    title: `conformance of ${harness.name} (${profile.name})`,
    checks: runnable,
    async finish() {
      await harness.close();
      const kept = checks.flatMap(({ name }) => results.get(name) ?? []);
      const report = createReport(harness.name, profile.name, capabilities, kept);
      if (options.report !== undefined) await writeReport(options.report, report);
      return report;
    },
  };
}

function profileOf(options: ConformanceOptions): Profile {
  const profile = PROFILES[options.profile ?? "quick"];
  return options.deadlineMs === undefined ? profile : { ...profile, deadlineMs: options.deadlineMs };
}

async function runAndKeep(
  check: ConformanceCheck,
  harness: ConformanceHarness,
  profile: Profile,
  results: Map<string, CheckResult>,
): Promise<void> {
  const { name, group, promises } = check;
  const started = performance.now();
  const ms = (): number => Math.round(performance.now() - started);
  try {
    await runCheck(check, harness, profile);
    results.set(name, { name, group, promises, outcome: "passed", ms: ms() });
  } catch (error) {
    results.set(name, { name, group, promises, outcome: "failed", reason: describeError(error), ms: ms() });
    throw error;
  }
}
