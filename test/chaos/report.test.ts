import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ChaosOptions, readArguments } from "../../chaos/arguments.ts";
import type { Terms } from "../../chaos/check/terms.ts";
import { describeProgress } from "../../chaos/progress-bar.ts";
import { type ChaosReport, makeReport, printReport } from "../../chaos/report.ts";
import { Doctored, DURABLE } from "./doctored.ts";

let run: Doctored;

beforeEach(() => {
  run = new Doctored();
  run.starts("member-0").starts("publisher-0");
});

afterEach(() => run.remove());

function report(change: { terms?: Partial<Terms>; problems?: readonly string[] } = {}): ChaosReport {
  const options = readArguments(["--seed", "7", "--queues", "2", "--broadcast", "0"], 1) as ChaosOptions;
  const terms = { ...DURABLE, ...change.terms };
  return makeReport(run.ledger(), run.audit(terms, { queues: 2 }), {
    options,
    terms,
    troubles: { counts: { kill: 2, pause: 1, cut: 1 }, connections: 5, killed: { "member-0": 2 } },
    cutHow: "by hand",
    interrupted: false,
    loadSeconds: 60,
    drainSeconds: 1.5,
    deadLetters: 0,
    problems: change.problems ?? [],
  });
}

describe("the report", () => {
  test("is ok where nothing was lost", () => {
    run.publishes("publisher-0", 0).gets("member-0", "publisher-0#0");
    const made = report();
    expect(made).toMatchObject({ ok: true, sent: 1, acknowledged: 1, received: 1, lost: 0, states: { stored: 1 } });
    const text = printReport(made);
    expect(text).toContain("troubles: 2 kills (member-0 2), 1 pause, 1 cut, 5 connections by hand");
    expect(text).toMatch(/^ {2}queues {2}1 +1 +1 +1 +0 +0 +0 +0$/m);
    expect(text.split("\n").at(-1)).toBe("ok: nothing was lost");
  });

  test("lists at most ten of what is missing, and of what went wrong", () => {
    for (let number = 0; number < 12; number += 1) run.publishes("publisher-0", number);
    run.publishes("publisher-0", 12, 1).gets("member-0", "publisher-0#12", 0).gets("member-0", "nobody#1");
    const made = report();
    expect(made).toMatchObject({ ok: false, lost: 13, lostThoughPromised: 13, wrongQueue: 1, foreign: 1 });
    expect(made.findings).toHaveLength(12);
    expect(made.findings[0]).toBe(
      "missing: publisher-0#0 at queue 0: stored, published in the 1st life of its publisher",
    );
    expect(printReport(made).split("\n").at(-1)).toBe(
      "FAILED: 13 lost though promised, 1 in the wrong queue, 1 sent by nobody",
    );
  });

  test("prints losses that break no promise, and is ok", () => {
    run.publishes("publisher-0", 0);
    const made = report({ terms: { guarantee: "at-most-once" } });
    expect(made).toMatchObject({ ok: true, lost: 1, lostThoughPromised: 0 });
    expect(printReport(made).split("\n").at(-1)).toBe("ok: nothing that was promised was lost; 1 that were not");
  });

  test("fails for a process that ended by itself", () => {
    const made = report({ problems: ["member-0 ended by itself"] });
    expect(made.ok).toBe(false);
    expect(printReport(made)).toContain("problem: member-0 ended by itself");
  });
});

test("the progress bar shows how far it is, and what has happened", () => {
  const state = { phase: "load", share: 0.5, sent: 7, acknowledged: 6, received: 12, troubles: 3 };
  const text = "load [############------------] sent 7, acknowledged 6, received 12, troubles 3";
  expect(describeProgress(state)).toBe(text);
  expect(describeProgress({ ...state, share: 7 })).toContain(`[${"#".repeat(24)}]`);
});
