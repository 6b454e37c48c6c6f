// A curve as SVG: how many times the first point's processor time a delivered message costs, by broker.
import { at, line, logarithmic, svg, text } from "../svg.mjs";
import { number, sizeText } from "../tables.mjs";
import { CURVES } from "./curves.mjs";

const [WIDTH, HEIGHT] = [620, 300];
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 430, 44, 252];
const LABEL_GAP = 14;
const TICKS = [0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100, 1_000, 10_000];
const TICK_GAP = 16;

/** The chart of a curve from its rows of processor time. */
export function growthChart(curve, rows) {
  const { title, counts } = CURVES[curve];
  const points = [...new Set(rows.map(({ point }) => point))].sort((one, other) => one - other);
  const brokers = [...new Set(rows.map(({ broker }) => broker))];
  const goal = brokers.includes("http") ? CURVES[curve].goal : undefined;
  const x = logarithmic(points[0], points.at(-1), LEFT + 8, RIGHT);
  const [low, high] = boundsOf(rows, goal);
  const y = logarithmic(low, high, BOTTOM, TOP);
  return svg(title, WIDTH, HEIGHT, [
    text(8, 20, title, 'font-size="14" font-weight="600"'),
    ...ticksOf(low, high, y).flatMap((tick) => [
      line(LEFT, y(tick), RIGHT, y(tick), tick === 1 ? "axis" : "grid"),
      text(LEFT - 6, y(tick) + 4, plain(tick), 'text-anchor="end" font-size="11"'),
    ]),
    ...points.map((point) => text(x(point), BOTTOM + 18, short(point, counts), 'text-anchor="middle" font-size="11"')),
    text((LEFT + RIGHT) / 2, BOTTOM + 38, `${counts}; upwards: processor time per delivery / first point`, MIDDLE),
    ...(goal === undefined ? [] : goalLine(goal, y)),
    ...brokers.flatMap((broker) => lineOf(rows, broker, x, y)),
    ...labels(rows, brokers, points, counts, y),
  ]);
}

const MIDDLE = 'text-anchor="middle" font-size="11"';

/** The order of brokers is that of their colours, the same in all charts. */
const COLOURS = ["memory", "http", "nats-core", "jetstream", "rabbitmq"];

function boundsOf(rows, goal = 1) {
  const all = [0.5, 2, goal, ...rows.flatMap(({ ratio }) => [ratio.min, ratio.max])].filter((one) => one > 0);
  return [Math.min(...all) / 1.1, Math.max(...all) * 1.1];
}

function ticksOf(low, high, y) {
  const kept = [1];
  for (const tick of TICKS.filter((one) => one >= low && one <= high))
    if (kept.every((one) => Math.abs(y(one) - y(tick)) >= TICK_GAP)) kept.push(tick);
  return kept;
}

function goalLine(goal, y) {
  return [
    line(LEFT, y(goal), RIGHT, y(goal), "goal", 'stroke-dasharray="5 4"'),
    text(LEFT + 6, y(goal) - 4, `goal for http: ${goal}`, 'font-size="11" class="loss"'),
  ];
}

function lineOf(rows, broker, x, y) {
  const colour = COLOURS.indexOf(broker);
  const found = rows.filter((row) => row.broker === broker);
  const places = found.map(({ point, ratio }) => `${at(x(point))},${at(y(ratio.median))}`);
  return [
    `<polyline points="${places.join(" ")}" class="stroke${colour}" stroke-width="2"/>`,
    ...found.flatMap(({ point, ratio }) => [
      line(x(point), y(ratio.min), x(point), y(ratio.max), `stroke${colour}`),
      `<circle cx="${at(x(point))}" cy="${at(y(ratio.median))}" r="3" class="fill${colour}"/>`,
    ]),
  ];
}

/** The brokers' names with their last ratios, beside the ends of their lines, but never on top of each other. */
function labels(rows, brokers, points, counts, y) {
  const ends = brokers.map((broker) => {
    const { point, ratio } = rows.findLast((row) => row.broker === broker);
    const where = point === points.at(-1) ? "" : ` at ${short(point, counts)}`;
    return { broker, y: y(ratio.median) + 4, label: `${broker} ${number(ratio.median)}${where}` };
  });
  ends.sort((one, other) => one.y - other.y);
  for (const [index, end] of ends.entries()) if (index > 0) end.y = Math.max(end.y, ends[index - 1].y + LABEL_GAP);
  const over = Math.max(0, (ends.at(-1)?.y ?? 0) - BOTTOM);
  return ends.map((end) =>
    text(RIGHT + 10, end.y - over, end.label, `font-size="11" class="fill${COLOURS.indexOf(end.broker)}"`),
  );
}

/** A number of an axis, without zeros that say nothing. */
function plain(value) {
  return value.toLocaleString("en", { maximumFractionDigits: 3 });
}

/** A point's number, short enough to stand under its place. */
function short(value, counts) {
  if (counts === "bytes") return sizeText(value);
  return value.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
}
