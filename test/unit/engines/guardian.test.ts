import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { until } from "../../../src/testing/index.ts";
import { GUARDIAN_SCRIPT, guard } from "../../support/engines/guardian.ts";

/** Stands for an engine: does nothing, for longer than any test. */
const IDLE = ["-e", "setInterval(() => {}, 60_000)"];

/** A test process: starts an engine and its guardian, says the engine's pid, and is there until it is killed. */
const TEST_PROCESS = `
  const { spawn } = require("node:child_process");
  const [script, folder, idle] = process.argv.slice(1);
  const guardian = spawn("/bin/sh", ["-c", script, "guardian", folder], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  const engine = spawn(process.execPath, ["-e", idle], { detached: true, stdio: "ignore" });
  guardian.stdin.write("watch 999999999\\nforget 999999999\\nwatch " + engine.pid + "\\n", () => console.log(engine.pid));
`;

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("the guardian of an engine", () => {
  test("kills what it watches and removes the folder when the test process is killed", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tidings-guardian-"));
    await writeFile(join(folder, "data"), "x");
    const args = ["-e", TEST_PROCESS, GUARDIAN_SCRIPT, folder, IDLE[1] ?? ""];
    const tests = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const [said] = (await once(tests.stdout, "data")) as [Buffer];
    const engine = Number(said.toString());
    expect(isAlive(engine)).toBe(true);
    tests.kill("SIGKILL");
    await until(() => !existsSync(folder), { what: "the folder is gone" });
    await until(() => !isAlive(engine), { what: "the engine is gone" });
  });

  test("finishes on request, twice if need be, and kills nothing that has ended", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tidings-guardian-"));
    const guardian = guard(folder);
    const [ended, running] = [spawn(process.execPath, ["-e", ""]), spawn(process.execPath, IDLE)];
    for (const child of [ended, running]) guardian.watch(child);
    await once(ended, "exit");
    const killed = once(running, "exit");
    await guardian.finish();
    await guardian.finish();
    expect(await killed).toEqual([null, "SIGKILL"]);
    expect(existsSync(folder)).toBe(false);
  });
});
