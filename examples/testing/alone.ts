// Lets the test of the documents run the other files of this folder as programs whose output is the same every time. A file of
// tests for node:test is run with this file as its reporter, which leaves the times out; one for vitest is run by
// test/unit/testing/test-broker-example.test.ts, and does nothing here.
import { spawnSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { TestEvent } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const program = realpathSync(process.argv[1] ?? ".");
const isOne = dirname(program) === dirname(fileURLToPath(import.meta.url));

if (isOne && basename(program) === "vitest.js") process.exit();
if (isOne && !process.execArgv.some((flag) => flag.startsWith("--test-reporter"))) {
  const flags = [`--test-reporter=${import.meta.url}`, "--test-reporter-destination=stdout"];
  const { status } = spawnSync(process.execPath, [...flags, program], { stdio: "inherit" });
  process.exit(status ?? 1);
}

/** The reporter: a line for each test. */
export default async function* names(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of events) {
    if (type === "test:pass") yield `passed: ${data.name}\n`;
    if (type === "test:fail") yield `failed: ${data.name}: ${data.details.error}\n`;
  }
}
