import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { allChecks } from "../../src/testing/conformance/all-checks.ts";
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

  test("counts the checks that the kit has", () => {
    const block = /<!-- conformance:start -->\n([\s\S]*?)<!-- conformance:end -->/.exec(textOf("README.md"))?.[1] ?? "";
    const shown = [...block.matchAll(/^\| (D\d+) \| (.*) \|$/gm)].map(([, promise, cells]) => [
      promise,
      ...new Set(cells?.split(" | ").map((cell) => Number(cell.split(" of ").at(-1)))),
    ]);
    const promises = [...new Set(allChecks().flatMap((check) => check.promises))];
    promises.sort((one, other) => Number(one.slice(1)) - Number(other.slice(1)));
    const counted = promises.map((promise) => [
      promise,
      allChecks().filter((check) => check.promises.includes(promise)).length,
    ]);
    expect(shown, "run the kits, and then node scripts/capabilities.mjs").toEqual(counted);
  });
});
