import { fileURLToPath } from "node:url";
import { afterAll, describe, test } from "vitest";
import { type ProfileName, registerWithVitest } from "../../src/testing/index.ts";
import { describeWithEngine, missingEngine } from "../support/engines/find-engine.ts";
import { rabbitmqHarness } from "./rabbitmq-harness.ts";

if (missingEngine("rabbitmq") === undefined) {
  registerWithVitest({ describe, test, afterAll }, await rabbitmqHarness(), {
    profile: process.env["TIDINGS_TEST_PROFILE"] as ProfileName,
    report: fileURLToPath(new URL("./report/rabbitmq.json", import.meta.url)),
  });
} else {
  describeWithEngine("rabbitmq", "conformance: rabbitmq", () => {
    test("passes the kit", () => {});
  });
}
