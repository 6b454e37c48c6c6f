import { describe, expect, test } from "vitest";
import { load, type Row, row, type Spread, steady } from "./bench.ts";

type Figures = Readonly<Record<string, string | number>>;

const { isWin, rowsOf, spread } = await load<{
  isWin(row: Row): boolean;
  rowsOf(
    group: string,
    rounds: readonly (readonly Figures[])[],
    ours: string,
    others: readonly { readonly name: string; readonly peer: boolean }[],
  ): Row[];
  spread(values: readonly number[]): Spread;
}>("rows.mjs");

describe("the bench's rows", () => {
  test("a spread has the middle of an odd number, and the mean of the two in the middle of an even one", () => {
    expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spread([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
  });

  test("ratios are within a round: what slows both changes none", () => {
    const round = (slow: number): Figures[] => [
      { contestant: "ours", bodyBytes: 100, throughput: 50 / slow },
      { contestant: "theirs", bodyBytes: 100, throughput: 100 / slow },
    ];
    const [found] = rowsOf("group", [round(1), round(4)], "ours", [{ name: "theirs", peer: true }]);
    expect(found).toEqual({
      group: "group",
      contestant: "ours",
      beside: "theirs",
      peer: true,
      bodyBytes: 100,
      measure: "throughput",
      own: { median: 31.25, min: 12.5, max: 50 },
      other: { median: 62.5, min: 25, max: 100 },
      ratio: steady(0.5),
    });
  });

  test("there is a row for each size, neighbour and measure that both have in every round", () => {
    const rounds = [
      [
        { contestant: "ours", bodyBytes: 100, throughput: 1, cpu: 1 },
        { contestant: "ours", bodyBytes: 1024, throughput: 1, memory: 1 },
        { contestant: "theirs", bodyBytes: 100, throughput: 1 },
        { contestant: "theirs", bodyBytes: 1024, throughput: 1, memory: 1 },
      ],
    ];
    const others = [
      { name: "theirs", peer: false },
      { name: "absent", peer: false },
    ];
    const found = rowsOf("group", rounds, "ours", others);
    expect(found.map(({ bodyBytes, measure }) => [bodyBytes, measure])).toEqual([
      [100, "throughput"],
      [1024, "throughput"],
      [1024, "memory"],
    ]);
    expect(rowsOf("group", [], "ours", others)).toEqual([]);
  });

  test("more messages and less processor time are better", () => {
    expect([row("throughput", steady(1.1)), row("cpu", steady(0.9))].map(isWin)).toEqual([true, true]);
    expect([row("throughput", steady(0.9)), row("cpu", steady(1.1))].map(isWin)).toEqual([false, false]);
  });
});
