import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { RunningProgram } from "../cli/tidings-process.ts";

const BENCH = fileURLToPath(new URL("../../scripts/bench.mjs", import.meta.url));
const TINY = ["--quick", "--rounds", "1", "--ms", "20", "--latency-messages", "20"];

const spread = { median: expect.any(Number), min: expect.any(Number), max: expect.any(Number) };

/** A program that says what the bench's progress writes to a terminal, and elsewhere. */
const STEPS = `
  import { Steps } from ${JSON.stringify(new URL("../../bench/progress.mjs", import.meta.url).href)};
  const written = [true, false].map((isTTY) => {
    const texts = [];
    const steps = new Steps({ isTTY, columns: 80, write: (text) => texts.push(text) }, [4, 4]);
    steps.beginPart(4);
    steps.begin("first");
    steps.say("a word");
    steps.endPart();
    steps.end();
    return texts;
  });
  console.log(JSON.stringify(written));
`;

/** The curves of a broker in one process, and the first and the last point of each. */
const CURVES_IN_ONE_PROCESS = {
  subscriptions: [1, 1_000],
  "one-topic": [1, 10_000],
  topics: [1, 10_000],
  patterns: [1, 1_000],
  members: [1, 16],
  "in-flight": [1, 10_000],
  backlog: [1, 100_000],
  size: [100, 1_048_576],
};

interface Row {
  readonly beside: string;
  readonly curve?: string;
  readonly point?: number;
  readonly bodyBytes?: number;
  readonly measure: string;
}

async function measured(
  names: readonly string[],
  more: readonly string[] = [],
): Promise<{ groups: { name: string; rows: Row[] }[] }> {
  const args = [BENCH, ...TINY, "--json", "--only", names.join(), ...more];
  const program = new RunningProgram(process.execPath, args, {});
  await program.endsWith(0);
  return JSON.parse(program.out);
}

test("the bench compares the HTTP broker with each reference, on every size and by every measure", async () => {
  const report = await measured(["undici-post", "raw-tcp"]);
  expect(report).toMatchObject({
    environment: { node: process.version },
    options: { rounds: 1, ms: 20, rate: 1_000, latencyMessages: 20, heapMiB: 32 },
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
  const { groups } = await measured(["storage", "start"]);
  expect(groups.map(({ name }) => name)).toEqual(["storage", "start"]);
  for (const { rows } of groups) {
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(row).toMatchObject({ own: spread, other: spread, ratio: spread });
  }
}, 120_000);

test("the bench measures ten subscribers, and a queue of four, in processes of their own and in one", async () => {
  const { groups } = await measured(["http-10", "http-queue-4", "memory-queue-4"]);
  const measures = ["throughput", "cpu", "memory", "p50", "p99", "p999"];
  const beside = (name: string) => measures.map((measure) => `${name} 1024 ${measure}`);
  const found = groups.map(({ name, rows }) => [
    name,
    rows.map((row) => `${row.beside} ${row.bodyBytes} ${row.measure}`),
  ]);
  expect(Object.fromEntries(found)).toEqual({
    "memory-queue-4": beside("promise-all-queue-4"),
    "http-10": [...beside("undici-post-10"), ...beside("raw-tcp-10")],
    "http-queue-4": [...beside("undici-post-4"), ...beside("raw-tcp-4")],
  });
}, 120_000);

test("the bench measures how the cost grows with the work, and draws each curve", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tidings-bench-test-"));
  try {
    const page = join(folder, "report.html");
    const { groups } = await measured(["growth-memory"], ["--html", page]);
    expect(groups.map(({ name }) => name)).toEqual(["growth"]);
    const rows = groups[0]?.rows ?? [];
    for (const row of rows) expect(row).toMatchObject({ own: spread, other: spread, ratio: spread });
    const pointsOf = (curve: string) => rows.filter((row) => row.curve === curve).map(({ point }) => point);
    const ends = Object.keys(CURVES_IN_ONE_PROCESS).map((curve) => [
      curve,
      [pointsOf(curve)[0], pointsOf(curve).at(-1)],
    ]);
    expect(Object.fromEntries(ends)).toEqual(CURVES_IN_ONE_PROCESS);
    const html = readFileSync(page, "utf8");
    expect(html.match(/<svg /g)).toHaveLength(Object.keys(CURVES_IN_ONE_PROCESS).length);
    // It needs nothing else: what it names elsewhere is what SVG is.
    expect(new Set(html.match(/https?:\/\/[^"]*/g))).toEqual(new Set(["http://www.w3.org/2000/svg"]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 240_000);

test("the bench shows a bar on a terminal, and a line for each step elsewhere", async () => {
  const program = new RunningProgram(process.execPath, ["--input-type=module", "--eval", STEPS], {});
  await program.endsWith(0);
  const [terminal, elsewhere] = JSON.parse(program.out);
  expect(terminal).toEqual([
    expect.stringMatching(/\[-{24}\] 0 % {2}first$/),
    expect.stringContaining("\r"),
    "a word\n",
  ]);
  expect(elsewhere).toEqual(["first\n", "a word\n"]);
});

test("the bench says what is wrong with its flags", async () => {
  const program = new RunningProgram(process.execPath, [BENCH, "--rounds", "0"], {});
  await program.endsWith(2);
  expect(program.err).toContain("ERR_INVALID_OPTION: --rounds takes a whole number");
});
