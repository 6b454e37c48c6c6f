import { describeError } from "../../../errors.ts";
import { type CheckDefinition, type ConformanceCheck, inGroup } from "../check.ts";
import type { CheckContext } from "../check-context.ts";
import { PROFILES } from "../profile.ts";
import { runCheck } from "../run-check.ts";

/**
 * M. Stress: every group again, in several lanes at once, each check with topics of its own and the sizes of the quick
 * profile. What measures time or memory is left out: the other lanes would be measured too.
 */
export function stress(groups: readonly (readonly ConformanceCheck[])[]): readonly ConformanceCheck[] {
  return inGroup("M", groups.map(stressGroup));
}

function stressGroup(checks: readonly ConformanceCheck[]): CheckDefinition {
  const letter = checks[0]?.group ?? "";
  const promises = [...new Set(checks.flatMap((check) => check.promises))];
  return {
    name: `stress: group ${letter} several times at once`,
    promises,
    async run(context) {
      const lanes = Array.from({ length: context.profile.lanes }, (_, lane) => runLane(context, checks, lane));
      const failures = (await Promise.all(lanes)).flat();
      if (failures.length > 0) throw new Error(`${failures.length} failed: ${failures.join("; ")}`);
    },
  };
}

/** Runs a group's checks one after the other, each lane beginning elsewhere. */
async function runLane(context: CheckContext, checks: readonly ConformanceCheck[], lane: number): Promise<string[]> {
  const { harness, capabilities } = context;
  const profile = { ...PROFILES.quick, deadlineMs: context.profile.deadlineMs };
  const start = Math.floor((checks.length * lane) / context.profile.lanes);
  const failures: string[] = [];
  for (const check of [...checks.slice(start), ...checks.slice(0, start)]) {
    if (check.measures === true || check.needs?.({ capabilities, harness }) !== undefined) continue;
    try {
      await runCheck(check, harness, profile);
    } catch (error) {
      failures.push(`lane ${lane}: ${check.name}: ${describeError(error)}`);
    }
  }
  return failures;
}
