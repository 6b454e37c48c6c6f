import { expect, test } from "vitest";
import { fuzzRegistryFiles } from "../../fuzz/registry-target.ts";
import { expectNoLeak, runOf } from "./run.ts";

const { inputs, seed } = runOf(600);

test(`${inputs} fuzzed files in a registry's folder, seed ${seed}: no crash, no hang, no broken record`, {
  timeout: 0,
}, async () => {
  const outcome = await fuzzRegistryFiles(inputs, seed);
  expect(outcome.failures).toEqual([]);
  expectNoLeak(outcome);
  expect(outcome.delivered).toBeGreaterThan(inputs / 10);
});
