import { registerWithVitest } from "tidings/testing";
import { afterAll, describe, test } from "vitest";
import { harness } from "../../examples/driver/harness.ts";

// The driver of docs/driver-guide.md: what it teaches has to pass, with the package as its author has it.
registerWithVitest({ describe, test, afterAll }, harness);
