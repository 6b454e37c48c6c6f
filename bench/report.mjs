// From the figures of all rounds to what is printed: medians with the smallest and the largest.

/** Median, smallest and largest of some numbers. */
export function spread(values) {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted.at(-1) };
}

/**
 * One result for each contestant and size, from `{ contestant, bodyBytes, messagesPerSecond, p50, p99 }` of each round. A ratio
 * compares with the baseline of the same round, so that what slows the machine slows both.
 */
export function summarize(rounds, baseline) {
  const first = rounds[0] ?? [];
  return first.map(({ contestant, bodyBytes }) => {
    const find = (round, name) => round.find((one) => one.contestant === name && one.bodyBytes === bodyBytes);
    const own = rounds.map((round) => find(round, contestant));
    return {
      contestant,
      bodyBytes,
      messagesPerSecond: spread(own.map((one) => one.messagesPerSecond)),
      latencyMs: { p50: spread(own.map((one) => one.p50)), p99: spread(own.map((one) => one.p99)) },
      ratio: spread(
        rounds.map((round, index) => own[index].messagesPerSecond / find(round, baseline).messagesPerSecond),
      ),
    };
  });
}

/** The results as a table. */
export function table({ results, baseline, rounds, rate, inFlight }) {
  const whole = ({ median, min, max }) => `${Math.round(median)} (${Math.round(min)}-${Math.round(max)})`;
  const fine = ({ median, min, max }) => `${median.toFixed(2)} (${min.toFixed(2)}-${max.toFixed(2)})`;
  const rows = [
    ["contestant", "body", "messages/s", `p50 ms at ${rate}/s`, `p99 ms at ${rate}/s`, `ratio to ${baseline}`],
    ...results.map(({ contestant, bodyBytes, messagesPerSecond, latencyMs, ratio }) => [
      contestant,
      `${bodyBytes} B`,
      whole(messagesPerSecond),
      fine(latencyMs.p50),
      fine(latencyMs.p99),
      fine(ratio),
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join("  ")
      .trimEnd(),
  );
  return [
    ...lines,
    "",
    `Medians of ${rounds} round(s) (smallest-largest); ${inFlight} in flight; all but memory between two processes.`,
  ].join("\n");
}
