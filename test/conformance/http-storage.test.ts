import { fileURLToPath } from "node:url";
import { afterAll, describe, test } from "vitest";
import { type ProfileName, registerWithVitest } from "../../src/testing/index.ts";
import { httpHarness } from "./http-harness.ts";

registerWithVitest({ describe, test, afterAll }, await httpHarness({ storage: true }), {
  profile: process.env["TIDINGS_TEST_PROFILE"] as ProfileName,
  report: fileURLToPath(new URL("./report/http-storage.json", import.meta.url)),
});
