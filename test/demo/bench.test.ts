import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { RunningProgram } from "../cli/tidings-process.ts";

const BENCH = fileURLToPath(new URL("../../scripts/bench.mjs", import.meta.url));
const TINY = ["--quick", "--rounds", "1", "--messages", "50", "--latency-messages", "20"];

const spread = { median: expect.any(Number), min: expect.any(Number), max: expect.any(Number) };

test("the bench measures every contestant on every size", async () => {
  const program = new RunningProgram(process.execPath, [BENCH, ...TINY, "--json"], {});
  await program.endsWith(0);
  const report = JSON.parse(program.out);
  expect(report).toMatchObject({ node: process.version, rounds: 1, rate: 500, inFlight: 64, baseline: "plain-post" });
  expect(
    report.results.map(
      ({ contestant, bodyBytes }: { contestant: string; bodyBytes: number }) => `${contestant} ${bodyBytes}`,
    ),
  ).toEqual(
    [100, 1024].flatMap((bytes) => ["memory", "http", "plain-post", "undici-post"].map((name) => `${name} ${bytes}`)),
  );
  for (const result of report.results) {
    expect(result).toMatchObject({ messagesPerSecond: spread, latencyMs: { p50: spread, p99: spread }, ratio: spread });
    expect(result.messagesPerSecond.median).toBeGreaterThan(0);
    expect(result.latencyMs.p99.median).toBeGreaterThanOrEqual(result.latencyMs.p50.median);
    if (result.contestant === "plain-post") expect(result.ratio).toEqual({ median: 1, min: 1, max: 1 });
  }
});

test("the bench says what is wrong with its flags", async () => {
  const program = new RunningProgram(process.execPath, [BENCH, "--rounds", "0"], {});
  await program.endsWith(2);
  expect(program.err).toContain("ERR_INVALID_OPTION: --rounds takes a whole number");
});
