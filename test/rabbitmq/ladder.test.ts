import fc from "fast-check";
import { expect, test } from "vitest";
import { climb, LADDER_MS } from "../../src/drivers/rabbitmq/ladder.ts";

/** How long a delay takes on the ladder, climbed as often as it needs. */
function climbed(delayMs: number): number {
  const step = climb(delayMs);
  return step === undefined ? 0 : step.stepMs + climbed(step.restMs);
}

test("a delay on the ladder is never shorter than asked, and at most twice as long or a step of 50 ms", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 86_400_000, noNaN: true }), (delayMs) => {
      const took = climbed(delayMs);
      expect(took).toBeGreaterThanOrEqual(delayMs);
      expect(took).toBeLessThanOrEqual(Math.max(50, 2 * delayMs));
    }),
  );
});

test("the ladder rises by powers of two", () => {
  expect(LADDER_MS[0]).toBe(50);
  for (const [index, step] of LADDER_MS.entries()) if (index > 0) expect(step).toBe(2 * (LADDER_MS[index - 1] ?? 0));
});
