import { afterAll, describe, test } from "vitest";
import { registerWithVitest } from "../../src/testing/index.ts";
import { fakeEngineHarness } from "./fake-engine-harness.ts";

registerWithVitest({ describe, test, afterAll }, await fakeEngineHarness(), { only: ({ group }) => group === "J" });
