import { fileURLToPath } from "node:url";
import { afterAll, describe, test } from "vitest";
import { type ProfileName, registerWithVitest } from "../../src/testing/index.ts";
import { describeWithEngine, missingEngine } from "../support/engines/find-engine.ts";
import { natsHarness } from "./nats-harness.ts";

if (missingEngine("nats", { own: true }) === undefined) {
  registerWithVitest({ describe, test, afterAll }, await natsHarness("nats+core"), {
    profile: process.env["TIDINGS_TEST_PROFILE"] as ProfileName,
    report: fileURLToPath(new URL("./report/nats-core.json", import.meta.url)),
  });
} else {
  describeWithEngine(
    "nats",
    "conformance: nats+core",
    () => {
      test("passes the kit", () => {});
    },
    { own: true },
  );
}
