import { expect, test } from "vitest";
import { fuzzWire } from "../../fuzz/wire-target.ts";
import { expectNoLeak, runOf } from "./run.ts";

const { inputs, seed } = runOf(800);

test(`${inputs} fuzzed peers on the wire of Tidings, seed ${seed}: no crash, no hang, no broken message`, {
  timeout: 0,
}, async () => {
  const outcome = await fuzzWire(inputs, seed);
  expect(outcome.failures).toEqual([]);
  expectNoLeak(outcome);
  // Neither everything nor nothing was refused: the changes went deep enough, and not too deep.
  expect(outcome.delivered).toBeGreaterThan(inputs / 10);
  expect(outcome.refused).toBeGreaterThan(inputs / 100);
});
