import type { ConformanceCheck } from "./check.ts";
import { CheckContext } from "./check-context.ts";
import type { ConformanceHarness } from "./harness.ts";
import type { Profile } from "./profile.ts";

/** How many deadlines of a single condition a whole check may take; one of the stress group runs many others. */
const DEADLINES_PER_CHECK = { usual: 4, stress: 40 };

/** How long a whole check may take, in milliseconds. */
export function checkTimeoutMs(check: ConformanceCheck, profile: Profile): number {
  return profile.deadlineMs * (check.group === "M" ? DEADLINES_PER_CHECK.stress : DEADLINES_PER_CHECK.usual);
}

/**
 * Runs one check and closes what it opened, however it ended. A check, or a clean-up, that hangs fails at the check's
 * time limit.
 * @throws what the check failed with; else what its clean-up failed with.
 */
export async function runCheck(check: ConformanceCheck, harness: ConformanceHarness, profile: Profile): Promise<void> {
  const context = new CheckContext(harness, profile);
  const limitMs = checkTimeoutMs(check, profile);
  let failure: { readonly error: unknown } | undefined;
  try {
    await within(limitMs, check.run(context), `${check.name} did not end within ${limitMs} ms`);
  } catch (error) {
    failure = { error };
  }
  const leftovers = await within(
    limitMs,
    context.end(),
    `closing what "${check.name}" opened did not end within ${limitMs} ms`,
  ).catch((error: unknown) => [error]);
  if (failure !== undefined) throw failure.error;
  if (leftovers.length > 0) throw leftovers[0];
}

async function within<T>(limitMs: number, work: Promise<T>, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(message)), limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
