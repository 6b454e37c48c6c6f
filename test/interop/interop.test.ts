import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { namespaceRefusal } from "../../interop/namespace.mjs";
import { goToolchain } from "../../interop/peers.mjs";
import { ROOT } from "../house/tree.ts";

/** A small part of `npm run test:interop`: the published versions of go-micro that Go can get, over HTTP with mDNS. */
const QUICK = [
  ...["--transport", "http", "--level", "broker", "--level", "json", "--messages", "40", "--parallel", "3", "--json"],
  ...["--version", "v4.10", "--version", "v2.9", "--version", "v1.18"],
  // The first time Go compiles go-micro, which takes minutes; it keeps what it compiled.
  ...["--build-minutes", "8"],
];

/** For the building, and then for the messages, which take some two minutes. */
const DEADLINE_MS = 15 * 60_000;

interface Cell {
  readonly ok: boolean;
  readonly skipped?: boolean;
  readonly reason?: string;
}

interface Report {
  readonly rows: readonly { version: string; transport: string; level: string; cells: readonly Cell[] }[];
  readonly scenarios: readonly (Cell & { version: string; scenario: string })[];
}

/** Compiling go-micro takes minutes on a fresh machine, more than the other tests may take together: it is asked for. */
const asked = process.env["TIDINGS_TEST_INTEROP"] === "1";

const toolchain = goToolchain();
const refusal = !asked
  ? "set TIDINGS_TEST_INTEROP=1 for this part, or run npm run test:interop for all of it"
  : toolchain.found
    ? namespaceRefusal()
    : "no Go toolchain on the PATH";
// Only a missing toolchain is a failure, and only in CI: a namespace needs rights that CI may not have.
const isFailure = asked && !toolchain.found && toolchain.required;
// Said, so that nobody takes it for passed.
if (refusal !== undefined && !isFailure) process.stdout.write(`interop: skipped: ${refusal}\n`);

test.runIf(refusal === undefined || isFailure)(
  "real go-micro peers and Tidings exchange messages and find each other",
  async ({ skip }) => {
    expect(refusal, "in CI there must be a Go toolchain").toBeUndefined();
    const child = spawn(process.execPath, ["scripts/interop.mjs", ...QUICK], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "inherit"],
      // With everything that it starts in a group of its own, so that nothing outlives the test.
      detached: true,
    });
    onTestFinished(() => killGroup(child.pid));
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
    const status = await new Promise((resolve) => child.once("close", resolve));
    const said = lines.filter((line) => !line.startsWith("{")).join("\n");
    // A module that cannot be had is named with its error; whoever reads the log knows what was not tried.
    const lacking = lines.filter((line) => line.includes("cannot be had"));
    if (lacking.length > 0) process.stdout.write(`${lacking.join("\n")}\n`);
    expect(status, said).toBe(0);
    if (!lines.some((line) => line.endsWith(": built"))) skip(lacking.join("\n"));
    const { rows, scenarios } = JSON.parse(lines.at(-1) ?? "") as Report;
    const results = [...rows.flatMap(({ cells }) => cells), ...scenarios];
    expect(results.filter(({ ok, skipped }) => !ok && skipped !== true)).toEqual([]);
    const tried = results.filter(({ ok }) => ok);
    expect(tried.length, `nothing was tried:\n${said}`).toBeGreaterThan(0);
  },
  DEADLINE_MS,
);

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    // All of it has ended.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
