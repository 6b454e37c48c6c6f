import { fileURLToPath } from "node:url";
import { afterAll, describe, test } from "vitest";
import { type ProfileName, registerWithVitest } from "../../src/testing/index.ts";
import { memoryHarness } from "./memory-harness.ts";

registerWithVitest({ describe, test, afterAll }, await memoryHarness(), {
  profile: process.env["TIDINGS_TEST_PROFILE"] as ProfileName,
  report: fileURLToPath(new URL("./report/memory.json", import.meta.url)),
});
