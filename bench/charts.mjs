// Which charts a report has.
import { chart } from "./chart.mjs";

/** What charts show: not latency, which swings more from round to round than it says. */
const CHARTED = ["throughput", "time", "cpu", "memory"];

/** The charts of a report: `{ name, title, svg }` for each group. */
export function chartsOf({ groups }) {
  return groups.map(({ name, title, rows }) => ({
    name,
    title,
    svg: chart(
      title,
      rows.filter(({ measure }) => CHARTED.includes(measure)),
    ),
  }));
}
