import { afterAll, describe, test } from "vitest";
import { type ProfileName, registerWithVitest } from "../../src/testing/index.ts";
import { httpHarness } from "./http-harness.ts";

/** What encryption could change: delivery, flow, and connections that break. The rest is the same code as without it. */
const GROUPS = new Set(["A", "B", "J"]);

registerWithVitest({ describe, test, afterAll }, await httpHarness({ secret: "a secret of more than sixteen bytes" }), {
  profile: process.env["TIDINGS_TEST_PROFILE"] as ProfileName,
  only: ({ group }) => GROUPS.has(group),
});
