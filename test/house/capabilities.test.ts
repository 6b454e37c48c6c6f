import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { filesUnder, ROOT, textOf } from "./tree.ts";

describe("the capability matrix of README.md", () => {
  // What the conformance kit found is compared by scripts/test.mjs, after the kit has run.
  test("shows what the drivers declare", async () => {
    const script = join(ROOT, "scripts/capabilities.mjs");
    await promisify(execFile)(process.execPath, [script, "--check", "--declared"]);
  });

  test("has a column for each driver", () => {
    const head = /<!-- capabilities:start -->\n(.*)\n/.exec(textOf("README.md"))?.[1] ?? "";
    const drivers = filesUnder("src/drivers", "index.ts").map((path) => path.split("/")[2] ?? "");
    expect(drivers.filter((name) => !head.includes(`| ${name}`))).toEqual([]);
  });
});
