import { expect, test } from "vitest";
import { fuzzEncryptedDoor } from "../../fuzz/door-target.ts";
import { expectNoLeak, runOf } from "./run.ts";

const { inputs, seed } = runOf(450);

test(`${inputs} fuzzed beginnings at the door of a broker with a secret, seed ${seed}: no crash, no hang, nobody let in`, {
  timeout: 0,
}, async () => {
  const outcome = await fuzzEncryptedDoor(inputs, seed);
  expect(outcome.failures).toEqual([]);
  expectNoLeak(outcome);
  // Most wait for the rest of a record that never comes.
  expect(outcome.refused).toBeGreaterThan(inputs / 50);
});
