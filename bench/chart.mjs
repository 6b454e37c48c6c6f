// Bars of ratios as SVG, drawn by hand: one for each row, from 1 outwards, so that twice as much and half as much are as long;
// those of a measure stand together.
import { isWin, MEASURES } from "./rows.mjs";
import { escapeMarkup, ratioText } from "./tables.mjs";

const WIDTH = 860;
const LABEL_WIDTH = 290;
const VALUE_WIDTH = 150;
const ROW_HEIGHT = 20;
const BAR_HEIGHT = 12;
const TOP = 52;
const BOTTOM = 12;
const TICKS = [0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 1_000];
const [WIN, LOSS, INK, GRID] = ["#2f7d4f", "#c26a1a", "#24292f", "#d0d7de"];

/** A chart of these rows. The bars' thin lines reach from the smallest ratio to the largest. */
export function chart(title, rows) {
  const lines = linesOf(rows);
  const height = TOP + lines.length * ROW_HEIGHT + BOTTOM;
  const x = scaleOf(rows);
  const bottom = height - BOTTOM;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escapeMarkup(title)}" font-family="system-ui, sans-serif" font-size="12" fill="${INK}">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(8, 18, `${title}: ours / theirs`, 'font-size="14" font-weight="600"'),
    `<rect x="${WIDTH - 300}" y="9" width="10" height="10" fill="${WIN}"/>`,
    text(WIDTH - 286, 18, "Tidings does better"),
    `<rect x="${WIDTH - 150}" y="9" width="10" height="10" fill="${LOSS}"/>`,
    text(WIDTH - 136, 18, "Tidings does worse"),
    ...x.ticks.flatMap((tick) => [
      `<line x1="${at(x(tick))}" y1="${TOP - 6}" x2="${at(x(tick))}" y2="${bottom}" stroke="${tick === 1 ? INK : GRID}"/>`,
      text(x(tick), TOP - 12, String(tick), 'text-anchor="middle" font-size="11"'),
    ]),
    ...lines.flatMap((line, index) => {
      const top = TOP + index * ROW_HEIGHT;
      return "heading" in line ? text(8, top + ROW_HEIGHT - 6, line.heading, 'font-weight="600"') : bar(line, top, x);
    }),
    "</svg>",
  ];
  return `${parts.join("\n")}\n`;
}

/** The rows by measure, each with a heading. */
function linesOf(rows) {
  return Object.entries(MEASURES).flatMap(([measure, { title, better }]) => {
    const found = rows.filter((row) => row.measure === measure);
    return found.length === 0 ? [] : [{ heading: `${title} (${better} is better)` }, ...found];
  });
}

/** From a ratio to its place: logarithmic, over everything that is to be shown, and 1. */
function scaleOf(rows) {
  const all = [0.5, 2, ...rows.flatMap(({ ratio }) => [ratio.min, ratio.max])].filter((one) => one > 0);
  const [low, high] = [Math.log(Math.min(...all)), Math.log(Math.max(...all))];
  const [left, right] = [LABEL_WIDTH + 10, WIDTH - VALUE_WIDTH];
  const scale = (ratio) => left + ((Math.log(Math.max(ratio, Math.exp(low))) - low) / (high - low)) * (right - left);
  scale.ticks = TICKS.filter((tick) => Math.log(tick) >= low && Math.log(tick) <= high);
  return scale;
}

function bar(row, top, x) {
  const { ratio } = row;
  const [from, to] = [x(1), x(ratio.median)].sort((one, other) => one - other);
  const middle = top + ROW_HEIGHT / 2;
  return [
    text(LABEL_WIDTH, middle + 4, labelOf(row), 'text-anchor="end"'),
    `<rect x="${at(from)}" y="${middle - BAR_HEIGHT / 2}" width="${at(Math.max(1, to - from))}" height="${BAR_HEIGHT}" fill="${isWin(row) ? WIN : LOSS}"/>`,
    `<line x1="${at(x(ratio.min))}" y1="${middle}" x2="${at(x(ratio.max))}" y2="${middle}" stroke="${INK}"/>`,
    text(WIDTH - VALUE_WIDTH + 8, middle + 4, ratioText(ratio), 'font-size="11"'),
  ];
}

function labelOf({ contestant, beside, bodyBytes }) {
  return `${contestant} / ${beside}${bodyBytes === undefined ? "" : `, ${bodyBytes} B`}`;
}

function text(x, y, content, more = "") {
  return `<text x="${at(x)}" y="${at(y)}"${more === "" ? "" : ` ${more}`}>${escapeMarkup(content)}</text>`;
}

function at(value) {
  return Number(value.toFixed(1));
}
