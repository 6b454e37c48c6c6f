// From the figures of all rounds to what is printed: medians with the smallest and the largest.

/** Median, smallest and largest of some numbers. */
export function spread(values) {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted.at(-1) };
}

/**
 * One result for each contestant and size, from `{ contestant, bodyBytes, messagesPerSecond, p50, p99 }` of each round. Ratios
 * compare with the baselines of the same round, so that what slows the machine slows both; `p50Ratio` with the last of them.
 */
export function summarize(rounds, baselines) {
  const first = rounds[0] ?? [];
  return first.map(({ contestant, bodyBytes }) => {
    const find = (round, name) => round.find((one) => one.contestant === name && one.bodyBytes === bodyBytes);
    const own = rounds.map((round) => find(round, contestant));
    const ratioTo = (baseline, figure) =>
      spread(rounds.map((round, index) => own[index][figure] / find(round, baseline)[figure]));
    return {
      contestant,
      bodyBytes,
      messagesPerSecond: spread(own.map((one) => one.messagesPerSecond)),
      latencyMs: { p50: spread(own.map((one) => one.p50)), p99: spread(own.map((one) => one.p99)) },
      ratios: Object.fromEntries(baselines.map((baseline) => [baseline, ratioTo(baseline, "messagesPerSecond")])),
      p50Ratio: ratioTo(baselines.at(-1), "p50"),
    };
  });
}

/** The results as a table. */
export function table({ results, baselines, rounds, rate, inFlight, skipped }) {
  const whole = ({ median, min, max }) => `${Math.round(median)} (${Math.round(min)}-${Math.round(max)})`;
  const fine = ({ median, min, max }) => `${median.toFixed(2)} (${min.toFixed(2)}-${max.toFixed(2)})`;
  const rows = [
    [
      "contestant",
      "body",
      "messages/s",
      ...baselines.map((name) => `/ ${name}`),
      `p50 ms at ${rate}/s`,
      `p99 ms at ${rate}/s`,
      `p50 / ${baselines.at(-1)}`,
    ],
    ...results.map(({ contestant, bodyBytes, messagesPerSecond, latencyMs, ratios, p50Ratio }) => [
      contestant,
      `${bodyBytes} B`,
      whole(messagesPerSecond),
      ...baselines.map((name) => fine(ratios[name])),
      fine(latencyMs.p50),
      fine(latencyMs.p99),
      fine(p50Ratio),
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join("  ")
      .trimEnd(),
  );
  const flights = Object.entries(inFlight).map(([name, count]) => `${name} ${count}`);
  return [
    ...lines,
    "",
    `Medians of ${rounds} round(s) (smallest-largest); ratios within a round. In flight: ${flights.join(", ")}.`,
    "Sender and receiver are two processes, but for memory.",
    ...Object.entries(skipped).map(([name, reason]) => `Not measured: ${name}: ${reason}.`),
  ].join("\n");
}
