// From the figures of all rounds to rows: what Tidings did, what stood beside it did, and how the two compare.

/**
 * What is measured. `title`: of the ratio's column; `unit`: of the figures; `better`: whether more or less of it is good;
 * `steady`: whether its ratio stays alike from run to run on a machine with other work, so that a baseline may hold it.
 */
export const MEASURES = {
  throughput: { title: "messages/s", unit: "/s", better: "more", steady: true },
  time: { title: "time", unit: "ms", better: "less", steady: true },
  cpu: { title: "CPU per message", unit: "µs", better: "less", steady: true },
  memory: { title: "peak memory", unit: "MiB", better: "less", steady: true },
  p50: { title: "p50", unit: "ms", better: "less", steady: false },
  p99: { title: "p99", unit: "ms", better: "less", steady: false },
  p999: { title: "p99.9", unit: "ms", better: "less", steady: false },
};

/** Median, smallest and largest of some numbers. */
export function spread(values) {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted.at(-1) };
}

/**
 * A row for each size, each of `others` and each measure, from `{ contestant, bodyBytes, <measure>: number }` of each round.
 * Ratios are within a round, so that what slows the machine slows both. What somebody did not measure makes no row.
 */
export function rowsOf(group, rounds, ours, others) {
  const sizes = [...new Set((rounds[0] ?? []).map(({ bodyBytes }) => bodyBytes))];
  const find = (round, name, bodyBytes) =>
    round.find((one) => one.contestant === name && one.bodyBytes === bodyBytes) ?? {};
  const rows = [];
  for (const { name: beside, peer } of others)
    for (const bodyBytes of sizes)
      for (const measure of Object.keys(MEASURES)) {
        const pairs = rounds.map((round) => [ours, beside].map((name) => find(round, name, bodyBytes)[measure]));
        if (pairs.flat().some((value) => value === undefined)) continue;
        rows.push({
          group,
          contestant: ours,
          beside,
          peer,
          ...(bodyBytes === undefined ? {} : { bodyBytes }),
          measure,
          own: spread(pairs.map(([own]) => own)),
          other: spread(pairs.map(([, other]) => other)),
          ratio: spread(pairs.map(([own, other]) => own / other)),
        });
      }
  return rows;
}

/** Whether Tidings does better than what stands beside it. */
export function isWin({ measure, ratio }) {
  return MEASURES[measure].better === "more" ? ratio.median >= 1 : ratio.median <= 1;
}
