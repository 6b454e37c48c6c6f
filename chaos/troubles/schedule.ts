import { createRandom } from "../../src/testing/conformance/random.ts";
import type { ChaosOptions } from "../arguments.ts";
import type { Trouble } from "./trouble.ts";

/** The part of the load in which troubles happen: it has begun before, and goes on after. */
const [FIRST, LAST] = [0.03, 0.95] as const;
const DOWN_MS = { least: 50, most: 1_500 } as const;
const PAUSED_MS = { least: 100, most: 2_000 } as const;

/**
 * The troubles of a run, in their order: the same for the same options, seed and targets. Each kind is spread over the time
 * so that they come at random moments, and not all at once.
 */
export function schedule(
  options: Pick<ChaosOptions, "seconds" | "seed" | "kills" | "pauses" | "cuts">,
  targets: readonly string[],
): Trouble[] {
  const random = createRandom(options.seed);
  const between = ({ least, most }: { readonly least: number; readonly most: number }): number =>
    least + random.below(most - least + 1);
  const lastsMs = options.seconds * 1_000 * (LAST - FIRST);
  const spread = <T>(count: number, make: (atMs: number, target: string) => T): T[] =>
    Array.from({ length: targets.length === 0 ? 0 : count }, (_, index) => {
      const share = (index + random.below(1_000) / 1_000) / count;
      const atMs = Math.round(options.seconds * 1_000 * FIRST + share * lastsMs);
      return make(atMs, targets[random.below(targets.length)] ?? "");
    });
  const troubles: Trouble[] = [
    ...spread(options.kills, (atMs, target) => ({ kind: "kill" as const, atMs, target, downMs: between(DOWN_MS) })),
    ...spread(options.pauses, (atMs, target) => ({
      kind: "pause" as const,
      atMs,
      target,
      pausedMs: between(PAUSED_MS),
    })),
    ...spread(options.cuts, (atMs, target) => ({ kind: "cut" as const, atMs, target })),
  ];
  return troubles.sort((one, other) => one.atMs - other.atMs);
}
