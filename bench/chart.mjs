// Bars of ratios as SVG: one for each row, from 1 outwards, so that twice as much and half as much are as long; those of a
// measure stand together.
import { isWin, MEASURES } from "./rows.mjs";
import { at, line, logarithmic, svg, text } from "./svg.mjs";
import { ratioText, sizeText } from "./tables.mjs";

const WIDTH = 860;
const LABEL_WIDTH = 330;
const VALUE_WIDTH = 150;
const ROW_HEIGHT = 20;
const BAR_HEIGHT = 12;
const TOP = 76;
const BOTTOM = 12;
const LEGEND_Y = 40;
const TICKS = [0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 1_000];

/** Room between the numbers of two ticks, in pixels. */
const TICK_GAP = 28;

/** A chart of these rows. The bars' thin lines reach from the smallest ratio to the largest. */
export function chart(title, rows) {
  const lines = linesOf(rows);
  const height = TOP + lines.length * ROW_HEIGHT + BOTTOM;
  const x = scaleOf(rows);
  return svg(title, WIDTH, height, [
    text(8, 20, `${title}: ours / theirs`, 'font-size="14" font-weight="600"'),
    ...legend(8, "win", "Tidings does better"),
    ...legend(160, "loss", "Tidings does worse"),
    text(312, LEGEND_Y, "thin line: from the smallest ratio of a round to the largest"),
    ...x.ticks.flatMap((tick) => [
      line(x(tick), TOP - 6, x(tick), height - BOTTOM, tick === 1 ? "axis" : "grid"),
      text(x(tick), TOP - 12, String(tick), 'text-anchor="middle" font-size="11"'),
    ]),
    ...lines.flatMap((row, index) => {
      const top = TOP + index * ROW_HEIGHT;
      return "heading" in row ? text(8, top + ROW_HEIGHT - 6, row.heading, 'font-weight="600"') : bar(row, top, x);
    }),
  ]);
}

function legend(x, kind, label) {
  return [`<rect x="${x}" y="${LEGEND_Y - 9}" width="10" height="10" class="${kind}"/>`, text(x + 16, LEGEND_Y, label)];
}

/** The rows by measure, each with a heading. */
function linesOf(rows) {
  return Object.entries(MEASURES).flatMap(([measure, { title, better }]) => {
    const found = rows.filter((row) => row.measure === measure);
    return found.length === 0 ? [] : [{ heading: `${title} (${better} is better)` }, ...found];
  });
}

/** From a ratio to its place, over everything that is to be shown, and 1; with the ticks that have room. */
function scaleOf(rows) {
  const all = [0.5, 2, ...rows.flatMap(({ ratio }) => [ratio.min, ratio.max])].filter((one) => one > 0);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const scale = logarithmic(low, high, LABEL_WIDTH + 10, WIDTH - VALUE_WIDTH);
  const inside = TICKS.filter((tick) => tick >= low && tick <= high);
  // From 1 outwards: that tick is there in any case.
  const [below, above] = [inside.filter((tick) => tick <= 1).reverse(), inside.filter((tick) => tick >= 1)];
  scale.ticks = [...new Set([...thinned(below, scale), ...thinned(above, scale)])];
  return scale;
}

function thinned(ticks, scale) {
  const kept = [];
  for (const tick of ticks)
    if (kept.length === 0 || Math.abs(scale(tick) - scale(kept.at(-1))) >= TICK_GAP) kept.push(tick);
  return kept;
}

function bar(row, top, x) {
  const { ratio } = row;
  const [from, to] = [x(1), x(ratio.median)].sort((one, other) => one - other);
  const middle = top + ROW_HEIGHT / 2;
  const width = at(Math.max(1, to - from));
  return [
    text(LABEL_WIDTH, middle + 4, labelOf(row), 'text-anchor="end"'),
    `<rect x="${at(from)}" y="${middle - BAR_HEIGHT / 2}" width="${width}" height="${BAR_HEIGHT}" class="${isWin(row) ? "win" : "loss"}"/>`,
    line(x(ratio.min), middle, x(ratio.max), middle, "axis"),
    text(WIDTH - VALUE_WIDTH + 8, middle + 4, ratioText(ratio), 'font-size="11"'),
  ];
}

function labelOf({ contestant, beside, bodyBytes }) {
  return `${contestant} / ${beside}${bodyBytes === undefined ? "" : `, ${sizeText(bodyBytes)}`}`;
}
