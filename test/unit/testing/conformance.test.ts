import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { allChecks } from "../../../src/testing/conformance/all-checks.ts";
import type { ConformanceCheck } from "../../../src/testing/conformance/check.ts";
import { PROFILES } from "../../../src/testing/conformance/profile.ts";
import { runCheck } from "../../../src/testing/conformance/run-check.ts";
import { conformance, registerWithNodeTest, registerWithVitest, wrapSubscription } from "../../../src/testing/index.ts";
import { memoryHarness } from "../../conformance/memory-harness.ts";

const profile = { ...PROFILES.quick, deadlineMs: 50 };

function check(run: ConformanceCheck["run"]): ConformanceCheck {
  return { group: "A", name: "A example", promises: ["D1"], run };
}

test("a wrapped subscription says what it takes back, as the one in it does", () => {
  const [stop, close] = [async () => {}, async () => {}];
  expect(wrapSubscription({ takesBack: false, stop, close }, {}).takesBack).toBe(false);
  expect(wrapSubscription({ stop, close }, {}).takesBack).toBeUndefined();
});

describe("the kit", () => {
  test("has checks of unique names that begin with their group's letter", () => {
    const names = allChecks().map(({ group, name }) => ({ name, fits: name.startsWith(`${group} `) }));
    expect(names.filter(({ fits }) => !fits)).toEqual([]);
    expect(new Set(names.map(({ name }) => name)).size).toBe(names.length);
  });

  test("has checks for every promise", () => {
    const proved = new Set(allChecks().flatMap(({ promises }) => promises));
    const promised = Array.from({ length: 14 }, (_, index) => `D${index + 1}`);
    expect(promised.filter((promise) => !proved.has(promise as "D1"))).toEqual([]);
  });

  test("reports what passed, what failed and what did not run, and why", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tidings-report-"));
    const path = join(folder, "deep", "report.json");
    const whole = await memoryHarness();
    // Declares standing queues but hides one member that a check compares: that check fails.
    const harness = { ...whole, name: "example", capabilities: { ...whole.capabilities, mandatory: false } };
    const names = [
      "A connects, says what it is, and closes",
      "A disconnect before connect is harmless",
      "B mandatory is ERR_NO_SUBSCRIBERS when nobody wants the message",
    ];
    const kit = conformance(harness, { report: path, only: ({ name }) => names.includes(name) });
    const outcomes = await Promise.allSettled(
      kit.checks.filter(({ notRun }) => notRun === undefined).map((one) => one.run()),
    );
    const report = await kit.finish();
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect(JSON.parse(await readFile(path, "utf8"))).toEqual(JSON.parse(JSON.stringify(report)));
    expect(report).toMatchObject({ driver: "example", profile: "quick", passed: 1, failed: 1, notRun: 1 });
    expect(report.checks.map(({ name, outcome, reason }) => [name, outcome, reason?.split("\n")[0]])).toEqual([
      [names[0], "failed", "the harness and the connected broker declare different capabilities"],
      [names[1], "passed", undefined],
      [names[2], "not run", "the driver does not declare mandatory"],
    ]);
    await rm(folder, { recursive: true });
  });

  test("closes what a check opened, however it ends, and gives way to stuck handlers", async () => {
    const harness = await memoryHarness();
    const statuses: (() => string)[] = [];
    const running = runCheck(
      check(async (context) => {
        const broker = await context.open();
        statuses.push(() => broker.status);
        const gate = context.gate();
        const receiver = await context.receive(broker, context.topic(), { handle: () => gate.pass() });
        await broker.publish(receiver.subscriber.topic, { body: "x" });
        await context.untilSeen(1, receiver);
        throw new Error("the check fails");
      }),
      harness,
      profile,
    );
    await expect(running).rejects.toThrow("the check fails");
    expect(statuses.map((status) => status())).toEqual(["closed"]);
    await harness.close();
  });

  test("fails a check that hangs, and one that leaves messages without saying so", async () => {
    const harness = await memoryHarness();
    await expect(
      runCheck(
        check(() => new Promise(() => {})),
        harness,
        profile,
      ),
    ).rejects.toThrow("did not end within 200 ms");
    const leave = (says: boolean): ConformanceCheck =>
      check(async (context) => {
        if (says) context.leavesMessages();
        const broker = context.special("isolated");
        await broker.connect();
        await broker.createQueue("left", "behind");
        await broker.publish("left", { body: "x" });
      });
    await expect(runCheck(leave(false), harness, profile)).rejects.toMatchObject({ code: "ERR_UNDELIVERED" });
    await runCheck(leave(true), harness, profile);
    await harness.close();
  });
});

describe("the adapters", () => {
  const only = ({ name }: { name: string }): boolean => /^A (disconnect before|a process that disconnected)/.test(name);

  test("make vitest tests, skipped with the reason", async () => {
    const tests: [string, unknown][] = [];
    const skipped: string[] = [];
    let finish: (() => unknown) | undefined;
    const runs: (() => unknown)[] = [];
    registerWithVitest(
      {
        describe: (_name, define) => define(),
        test(name, options, run) {
          tests.push([name, options.concurrent]);
          runs.push(() => run({ skip: (reason) => skipped.push(reason) }));
        },
        afterAll(run) {
          finish = run;
        },
      },
      await memoryHarness(),
      { only },
    );
    for (const run of runs) await run();
    await finish?.();
    expect(tests).toEqual([
      ["A disconnect before connect is harmless (D11)", true],
      ["A a process that disconnected exits by itself (D11)", true],
    ]);
    expect(skipped).toEqual(["the harness has no spawn"]);
  });

  test("make tests of node:test, skipped with the reason, and those that trouble the engine in a suite of their own", async () => {
    const tests: [string, string | false][] = [];
    const suites: [string, number][] = [];
    let finish: (() => unknown) | undefined;
    registerWithNodeTest(
      {
        describe(name, { concurrency }, define) {
          suites.push([name, concurrency]);
          define();
        },
        test: (name, options) => tests.push([name, options.skip]),
        after(run) {
          finish = run;
        },
      },
      await memoryHarness(),
      { only: (check) => only(check) || check.name.startsWith("J the engine hangs") },
    );
    await finish?.();
    expect(tests).toEqual([
      ["A disconnect before connect is harmless (D11)", false],
      ["A a process that disconnected exits by itself (D11)", "the harness has no spawn"],
      [
        "J the engine hangs for a moment under load: what was sent and acknowledged is received (D12)",
        "the harness has no engine.pause",
      ],
    ]);
    expect(suites).toEqual([
      ["conformance of memory (quick)", 1],
      ["at the same time", 5],
      ["one at a time", 1],
    ]);
  });
});
