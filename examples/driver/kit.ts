// Runs one group of the conformance kit on the driver of this folder; its test file runs all of them.
import { conformance } from "tidings/testing";
import { harness } from "./harness.ts";

const kit = conformance(harness, { only: ({ group }) => group === "G" });
for (const check of kit.checks) {
  if (check.notRun === undefined) await check.run();
}
const { failed } = await kit.finish();
console.log(`${failed} failed`);
