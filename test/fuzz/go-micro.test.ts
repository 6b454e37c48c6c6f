import { expect, test } from "vitest";
import { fuzzGoMicro } from "../../fuzz/go-target.ts";
import { expectNoLeak, runOf } from "./run.ts";

const { inputs, seed } = runOf(800);

test(`${inputs} fuzzed publishers on the wire of go-micro, seed ${seed}: no crash, no hang, no broken message`, {
  timeout: 0,
}, async () => {
  const outcome = await fuzzGoMicro(inputs, seed);
  expect(outcome.failures).toEqual([]);
  expectNoLeak(outcome);
  // Neither everything nor nothing was refused: the changes went deep enough, and not too deep.
  expect(outcome.delivered).toBeGreaterThan(inputs / 10);
  expect(outcome.refused).toBeGreaterThan(inputs / 100);
});
