import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hostNowMs, type JournalRecord } from "../../chaos/processes/records.ts";
import type { ChaosReport } from "../../chaos/report.ts";
import { createBroker } from "../../src/create-broker.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { RunningProgram } from "../cli/tidings-process.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { startNats } from "../support/engines/nats.ts";

const CHAOS = fileURLToPath(new URL("../../scripts/chaos.mjs", import.meta.url));
const SHORT = ["--seed", "7", "--seconds", "7", "--rate", "120"];
const TROUBLES = ["--kills", "5", "--pauses", "2", "--cuts", "3"];
const TIMEOUT = { timeout: 180_000 };

let folder: string;
let programs: RunningProgram[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tidings-test-chaos-"));
  programs = [];
});

afterEach(async () => {
  for (const program of programs) {
    program.child.kill("SIGKILL");
    await program.ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

function chaos(args: readonly string[], env: Readonly<Record<string, string>> = {}): RunningProgram {
  const program = new RunningProgram(process.execPath, [CHAOS, ...args], { TMPDIR: folder, ...env });
  programs.push(program);
  return program;
}

/** Runs to the end, prints what it found, and gives that. */
async function runs(...args: readonly string[]): Promise<ChaosReport> {
  const program = chaos([...SHORT, "--json", ...args]);
  await program.endsWith(0);
  const report = JSON.parse(program.out) as ChaosReport;
  const { sent, acknowledged, promised, received, lost, duplicated, reordered, troubles } = report;
  process.stdout.write(
    `chaos on ${report.broker}: sent ${sent}, acknowledged ${acknowledged}, promised ${promised}, received ${received}, lost ${lost}, duplicated ${duplicated}, reordered ${reordered}; ${JSON.stringify(troubles)}\n`,
  );
  return report;
}

function expectTroubled(report: ChaosReport): void {
  expect(report).toMatchObject({ ok: true, wrongQueue: 0, foreign: 0, problems: [], findings: [] });
  expect(report.troubles).toMatchObject({ kills: 5, pauses: 2, cuts: 3 });
  expect(report.sent).toBeGreaterThan(0);
}

const journalsIn = (path: string): string[] => (existsSync(path) ? readdirSync(path) : []);

/** The processes that wrote these journals. */
function pidsIn(path: string): number[] {
  return journalsIn(path).flatMap((name) =>
    readFileSync(join(path, name), "utf8")
      .split("\n")
      .filter((line) => line.includes('"started"'))
      .map((line) => (JSON.parse(line) as { readonly pid: number }).pid),
  );
}

/** Presses Ctrl-C; returns whether anybody was there. */
function press({ child }: RunningProgram): boolean {
  return child.kill("SIGINT");
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // There is no such process.
    return false;
  }
}

describe("chaos on the HTTP broker", () => {
  test("kills, pauses and cuts lose nothing that is promised, and mix nothing up", TIMEOUT, async () => {
    const report = await runs(...TROUBLES);
    expectTroubled(report);
    expect(report.troubles.connectionsCut).toBeGreaterThan(0);
    expect(report.lostThoughPromised).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("members that are killed lose nothing at all", TIMEOUT, async () => {
    const report = await runs(
      "--spare",
      "publishers",
      "--broadcast",
      "0",
      "--kills",
      "6",
      "--pauses",
      "0",
      "--cuts",
      "0",
    );
    expect(report).toMatchObject({ ok: true, lost: 0, troubles: { kills: 6 } });
    expect(report.promised).toBe(report.acknowledged);
    expect(report.received).toBeGreaterThanOrEqual(report.acknowledged);
  });

  test("where the kernel may not cut connections, the processes reset their own", TIMEOUT, async () => {
    const programsOfTest = join(folder, "bin");
    mkdirSync(programsOfTest);
    writeFileSync(join(programsOfTest, "ss"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    const calm = ["--seconds", "3", "--kills", "0", "--pauses", "0", "--cuts", "6", "--json"];
    const program = chaos(calm, { PATH: `${programsOfTest}:${process.env["PATH"]}` });
    await program.endsWith(0);
    const report = JSON.parse(program.out) as ChaosReport;
    expect(report).toMatchObject({
      ok: true,
      lost: 0,
      troubles: { cuts: 6, cutHow: expect.stringContaining("itself") },
    });
    expect(report.troubles.connectionsCut).toBeGreaterThan(0);
  });

  test("what is lost, doubled, reordered and in the wrong queue ends a run with status 1", TIMEOUT, async () => {
    const journals = join(folder, "journals");
    const calm = ["--kills", "0", "--pauses", "0", "--cuts", "0", "--broadcast", "0", "--drain-seconds", "4"];
    const program = chaos(["--seed", "1", "--seconds", "3", "--rate", "40", "--json", "--journals", journals, ...calm]);
    // A message that a publisher says it has sent, and nobody gets; one that a member says it got where it does not belong.
    await until(() => journalsIn(journals).includes("publisher-0.jsonl"), {
      what: "there are journals",
      deadlineMs: 60_000,
    });
    await until(() => readFileSync(join(journals, "member-0.jsonl"), "utf8").includes("received"), {
      what: "messages flow",
      deadlineMs: 60_000,
    });
    const doctor = (name: string, record: JournalRecord): void =>
      appendFileSync(join(journals, `${name}.jsonl`), `${JSON.stringify(record)}\n`);
    const received = (number: number, queue: number): void => {
      const text = `publisher-0#${number}`;
      const atMs = hostNowMs();
      doctor("member-0", { event: "received", queue, topic: 0, id: text, text, attempt: 1, atMs });
    };
    for (const number of [900_000, 900_002, 900_004]) {
      doctor("publisher-0", { event: "sending", number, queue: 0, atMs: hostNowMs() });
      doctor("publisher-0", { event: "acknowledged", number, state: "accepted" });
    }
    received(900_002, 0);
    received(900_002, 0);
    received(900_000, 0);
    received(900_000, 1);
    await program.endsWith(1);
    const report = JSON.parse(program.out) as ChaosReport;
    expect(report).toMatchObject({ ok: false, lostThoughPromised: 1, duplicated: 1, wrongQueue: 1 });
    expect(report.reordered).toBeGreaterThanOrEqual(1);
    expect(report.findings).toEqual([
      "missing: publisher-0#900004 at queue 0: accepted, published in the 1st life of its publisher",
      "wrong queue: publisher-0#900000 of queue 0 at member-0 in queue 1",
    ]);
  });
});

describe("the program", () => {
  test("says what is wrong with its flags, and what a broker cannot do", TIMEOUT, async () => {
    for (const [args, status, words] of [
      [["--seconds", "0"], 2, "ERR_INVALID_OPTION: --seconds takes a whole number"],
      [["--broker", "pigeon"], 2, "ERR_INVALID_OPTION: Unknown broker"],
      [["--broker", "http://127.0.0.1:8080"], 2, "ERR_INVALID_OPTION: Each process of the http broker"],
      [["--journals", fileURLToPath(new URL(".", import.meta.url))], 2, "ERR_INVALID_OPTION: --journals"],
      [["--broker", "memory"], 1, "ERR_UNSUPPORTED: Chaos needs processes"],
      [["--broker", "amqps://127.0.0.1:1"], 1, "ERR_UNSUPPORTED: No proxy can stand before"],
    ] as const) {
      const program = chaos(args);
      await program.endsWith(status);
      expect(program.err).toContain(words);
      expect(program.out).toBe("");
    }
    const help = chaos(["--help"]);
    await help.endsWith(0);
    expect(help.out).toMatch(/^Usage: npm run chaos/);
  });

  test("drains and reports at the first Ctrl-C", TIMEOUT, async () => {
    const program = chaos(["--seed", "1", "--seconds", "600", "--rate", "40", "--kills", "300", "--json"]);
    await program.says("chaos on http, seed 1");
    program.child.kill("SIGINT");
    await program.says("ending early");
    await program.endsWith(0);
    expect(JSON.parse(program.out)).toMatchObject({ interrupted: true, ok: true });
  });

  test.each([
    ["a second Ctrl-C", 130],
    ["its own death", "SIGKILL"],
  ] as const)("leaves no process and no folder behind at %s", TIMEOUT, async (_what, status) => {
    const journals = join(folder, "journals");
    const program = chaos([
      "--seed",
      "1",
      "--seconds",
      "600",
      "--rate",
      "40",
      "--pauses",
      "600",
      "--journals",
      journals,
    ]);
    await until(() => pidsIn(journals).length >= 5, { what: "its processes run", deadlineMs: 60_000 });
    const pids = pidsIn(journals);
    if (status === "SIGKILL") program.child.kill("SIGKILL");
    else {
      program.child.kill("SIGINT");
      await program.says("ending early");
      // More than one press of the keys, as the program understands it.
      await until(() => program.child.exitCode !== null || !press(program), { what: "it has ended" });
    }
    await program.endsWith(status);
    await until(() => !pids.some(isAlive), { what: "its processes are gone" });
    await until(() => readdirSync(folder).every((name) => name === "journals"), { what: "its folder is gone" });
  });
});

describeWithEngine(
  "nats",
  "chaos on NATS",
  () => {
    test("JetStream loses nothing, also when the server is killed", TIMEOUT, async () => {
      const report = await runs("--broker", "nats", ...TROUBLES, "--drain-seconds", "90");
      expectTroubled(report);
      expect(report.lost).toBe(0);
    });

    test("losses of core NATS are printed, and are no failure", TIMEOUT, async () => {
      const report = await runs("--broker", "nats+core", ...TROUBLES);
      expectTroubled(report);
      expect(report).toMatchObject({ promised: 0, deadLetters: null });
    });

    test("a server that is not its own is left alone, and nothing is left on it", TIMEOUT, async () => {
      const engine = await startNats();
      try {
        const before = engine.log();
        const report = await runs(
          "--broker",
          engine.url,
          "--seconds",
          "3",
          "--kills",
          "2",
          "--pauses",
          "0",
          "--cuts",
          "3",
        );
        expect(report).toMatchObject({ ok: true, troubles: { kills: 2, cuts: 3 } });
        expect(report.troubles.killed).not.toHaveProperty("engine");
        expect(report.lost).toBe(0);
        // A server that was started again says so once more.
        expect(engine.log().slice(before.length)).not.toContain("Starting nats-server");
        const broker = createBroker(engine.url);
        await broker.connect();
        expect(await broker.queues.list()).toEqual([]);
        await broker.disconnect();
      } finally {
        await engine.stop();
      }
    });
  },
  { own: true },
);

describeWithEngine(
  "rabbitmq",
  "chaos on RabbitMQ",
  () => {
    test("nothing is lost, also when the server is killed", TIMEOUT, async () => {
      const report = await runs("--broker", "rabbitmq", ...TROUBLES, "--drain-seconds", "90");
      expectTroubled(report);
      expect(report.lost).toBe(0);
    });
  },
  { own: true },
);
