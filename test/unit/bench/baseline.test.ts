import { describe, expect, test } from "vitest";
import { load, type Report, report, row, type Spread, steady } from "./bench.ts";

interface Baseline {
  readonly date: string;
  readonly machine: string;
  readonly ratios: Readonly<Record<string, Spread>>;
}

interface Comparison {
  readonly compared: number;
  readonly worse: readonly { readonly key: string; readonly limit: number }[];
  readonly missing: readonly string[];
}

const { baselineOf, compare, comparisonLines } = await load<{
  baselineOf(report: Report): Baseline;
  compare(report: Report, baseline: Baseline): Comparison;
  comparisonLines(comparison: Comparison, baseline: Baseline): string[];
}>("baseline.mjs");

const more = baselineOf(report([row("throughput", { median: 1, min: 0.8, max: 1.2 })]));
const less = baselineOf(report([row("cpu", { median: 1, min: 0.8, max: 1.2 })]));

/** Whether a median of `ratio` is worse than the baseline. */
function isWorse(measure: string, ratio: number, baseline: Baseline): boolean {
  return compare(report([row(measure, steady(ratio))]), baseline).worse.length > 0;
}

describe("the bench's baseline", () => {
  test("holds steady ratios to what the project has itself, and no figure", () => {
    const rows = [
      row("throughput", { median: 0.123456, min: 0.1, max: 0.2 }, { own: steady(77_777) }),
      row("p99", steady(3)),
      row("throughput", steady(2), { beside: "moleculer", peer: true }),
      row("time", steady(1.5), { contestant: "import", beside: "empty", bodyBytes: undefined as never }),
    ];
    expect(baselineOf(report(rows))).toEqual({
      date: "2026-11-22",
      node: "v20.19.0",
      machine: "2 cores of A <fast> one",
      ratios: {
        "http / raw-tcp, 100 B, throughput": { median: 0.123, min: 0.1, max: 0.2 },
        "import / empty, time": steady(1.5),
      },
    });
  });

  test("fails where a median is more than a quarter below the lowest, when more is better", () => {
    expect(isWorse("throughput", 0.61, more)).toBe(false);
    expect(isWorse("throughput", 0.59, more)).toBe(true);
    expect(isWorse("throughput", 9, more)).toBe(false);
  });

  test("fails where a median is as much above the highest, when less is better", () => {
    expect(isWorse("cpu", 1.59, less)).toBe(false);
    expect(isWorse("cpu", 1.61, less)).toBe(true);
    expect(isWorse("cpu", 0.1, less)).toBe(false);
  });

  test("does not look at figures: a machine of half the speed is as good", () => {
    const slow = row("throughput", steady(1), { own: steady(1), other: steady(1) });
    expect(compare(report([slow]), more).worse).toEqual([]);
  });

  test("names what was not measured, and does not count it as worse", () => {
    const comparison = compare(report([]), more);
    expect(comparison).toEqual({ compared: 0, worse: [], missing: ["http / raw-tcp, 100 B, throughput"] });
    expect(comparisonLines(comparison, more)).toContain(
      "Not measured, but in the baseline: http / raw-tcp, 100 B, throughput.",
    );
  });

  test("says what is worse, what it was and where the limit is", () => {
    const lines = comparisonLines(compare(report([row("throughput", steady(0.5))]), more), more);
    expect(lines).toEqual([
      "Compared 1 ratios with the baseline of 2026-11-22 (2 cores of A <fast> one); a median may be 25 % worse than the baseline's worst.",
      "WORSE: http / raw-tcp, 100 B, throughput: 0.50 (0.50-0.50), was 1.00 (0.80-1.20): more is better, and the limit is 0.600.",
      "1 ratios are clearly worse.",
    ]);
  });
});
