// Rows of growth as a table, and what they say of the goals.
import { number, ratioText } from "../tables.mjs";
import { CURVES } from "./curves.mjs";

/** The cells of a curve's rows: the head first, then a line for each broker and point. */
export function growthCells(curve, rows) {
  const head = [
    "broker",
    CURVES[curve].counts,
    "deliveries/s",
    "CPU per delivery, µs",
    "CPU per delivery / first",
    "deliveries/s / first",
    "peak memory, MiB",
    "peak memory / first",
  ];
  const of = (first, measure) =>
    rows.find((row) => row.broker === first.broker && row.point === first.point && row.measure === measure);
  const body = rows
    .filter(({ measure }) => measure === "cpu")
    .map((cpu) => {
      const [speed, memory] = [of(cpu, "throughput"), of(cpu, "memory")];
      return [
        cpu.broker,
        cpu.point.toLocaleString("en"),
        number(speed.own.median),
        number(cpu.own.median),
        ratioText(cpu.ratio),
        ratioText(speed.ratio),
        number(memory.own.median),
        ratioText(memory.ratio),
      ];
    });
  return [head, ...body];
}

/** What became of a curve's goal, as a sentence; `undefined` where it has none, or it was not measured. */
export function goalLine(curve, rows) {
  const { goal, counts, points } = CURVES[curve];
  const last = rows.find(
    ({ broker, point, measure }) => broker === "http" && point === points.at(-1) && measure === "cpu",
  );
  if (goal === undefined || last === undefined) return undefined;
  const verdict = last.ratio.median <= goal ? "met" : "not met";
  return `Goal for the HTTP broker: with ${last.point.toLocaleString("en")} ${counts} a delivery costs at most ${goal} times what it costs with one. Measured: ${ratioText(last.ratio)}: ${verdict}.`;
}
