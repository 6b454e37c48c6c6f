import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { RunningProgram } from "../cli/tidings-process.ts";

const BENCH = fileURLToPath(new URL("../../scripts/bench.mjs", import.meta.url));
const TINY = ["--quick", "--rounds", "1", "--ms", "20", "--latency-messages", "20"];

/** What the project itself brings; the others take part where they are installed. */
const OWN = ["memory", "http", "undici-post", "raw-tcp"];

const spread = { median: expect.any(Number), min: expect.any(Number), max: expect.any(Number) };
const one = { median: 1, min: 1, max: 1 };

test("the bench measures every contestant on every size, and says who did not take part", async () => {
  const program = new RunningProgram(process.execPath, [BENCH, ...TINY, "--json"], {});
  await program.endsWith(0);
  const report = JSON.parse(program.out);
  const baselines = ["undici-post", "raw-tcp"];
  expect(report).toMatchObject({ node: process.version, rounds: 1, rate: 1_000, baselines });
  expect(report.inFlight).toMatchObject({ http: 2_000, "undici-post": 64, "raw-tcp": 2_000 });
  const all = Object.keys(report.inFlight);
  const skipped = Object.keys(report.skipped);
  expect(all).toEqual([...OWN, "moleculer", "axon"]);
  for (const name of skipped) {
    expect(OWN).not.toContain(name);
    expect(report.skipped[name]).toMatch(/npm install in bench\/peers/);
  }
  const took = all.filter((name) => !skipped.includes(name));
  expect(
    report.results.map(
      ({ contestant, bodyBytes }: { contestant: string; bodyBytes: number }) => `${contestant} ${bodyBytes}`,
    ),
  ).toEqual([100, 1024].flatMap((bytes) => took.map((name) => `${name} ${bytes}`)));
  expect(report.storage).toMatchObject(
    [100, 1024].map((bodyBytes) => ({ bodyBytes, storePerSecond: spread, storedRatio: spread, handledRatio: spread })),
  );
  for (const result of report.results) {
    const ratios = { "undici-post": spread, "raw-tcp": spread };
    expect(result).toMatchObject({ messagesPerSecond: spread, latencyMs: { p50: spread, p99: spread }, ratios });
    expect(result.messagesPerSecond.median).toBeGreaterThan(0);
    expect(result.latencyMs.p99.median).toBeGreaterThanOrEqual(result.latencyMs.p50.median);
    if (baselines.includes(result.contestant)) expect(result.ratios[result.contestant]).toEqual(one);
  }
}, 120_000);

test("the bench says what is wrong with its flags", async () => {
  const program = new RunningProgram(process.execPath, [BENCH, "--rounds", "0"], {});
  await program.endsWith(2);
  expect(program.err).toContain("ERR_INVALID_OPTION: --rounds takes a whole number");
});
