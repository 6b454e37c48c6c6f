import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { RunningProgram } from "../cli/tidings-process.ts";

const BENCH = fileURLToPath(new URL("../../scripts/bench.mjs", import.meta.url));
const TINY = ["--quick", "--rounds", "1", "--ms", "20", "--latency-messages", "20"];

const spread = { median: expect.any(Number), min: expect.any(Number), max: expect.any(Number) };

interface Row {
  readonly beside: string;
  readonly bodyBytes?: number;
  readonly measure: string;
}

async function measured(...names: readonly string[]): Promise<{ groups: { name: string; rows: Row[] }[] }> {
  const program = new RunningProgram(process.execPath, [BENCH, ...TINY, "--json", "--only", names.join()], {});
  await program.endsWith(0);
  return JSON.parse(program.out);
}

test("the bench compares the HTTP broker with each reference, on every size and by every measure", async () => {
  const report = await measured("undici-post", "raw-tcp");
  expect(report).toMatchObject({
    environment: { node: process.version },
    options: { rounds: 1, ms: 20, rate: 2_000, latencyMessages: 20 },
    skipped: {},
    groups: [{ name: "http" }],
  });
  const rows = report.groups[0]?.rows ?? [];
  for (const row of rows) expect(row).toMatchObject({ contestant: "http", own: spread, other: spread, ratio: spread });
  const measures = ["throughput", "cpu", "p50", "p99", "p999"];
  const sized = ["undici-post", "raw-tcp"].flatMap((beside) =>
    [100, 1024, 65_536].flatMap((bodyBytes) =>
      [...measures, ...(bodyBytes === 65_536 ? ["memory"] : [])].map((measure) => `${beside} ${bodyBytes} ${measure}`),
    ),
  );
  expect(rows.map(({ beside, bodyBytes, measure }) => `${beside} ${bodyBytes} ${measure}`).sort()).toEqual(
    sized.sort(),
  );
}, 120_000);

test("the bench measures storage and start-up, each beside its reference", async () => {
  const { groups } = await measured("storage", "start");
  expect(groups.map(({ name }) => name)).toEqual(["storage", "start"]);
  for (const { rows } of groups) {
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(row).toMatchObject({ own: spread, other: spread, ratio: spread });
  }
}, 120_000);

test("the bench says what is wrong with its flags", async () => {
  const program = new RunningProgram(process.execPath, [BENCH, "--rounds", "0"], {});
  await program.endsWith(2);
  expect(program.err).toContain("ERR_INVALID_OPTION: --rounds takes a whole number");
});
