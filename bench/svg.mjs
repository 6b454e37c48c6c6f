// What charts share: SVG drawn by hand, which follows the reader's choice of light or dark.
import { escapeMarkup } from "./tables.mjs";

const LIGHT = { paper: "#ffffff", ink: "#24292f", faint: "#d0d7de", win: "#2f7d4f", loss: "#c26a1a" };
const DARK = { paper: "#0d1117", ink: "#e6edf3", faint: "#30363d", win: "#3fb950", loss: "#f0883e" };

/** Lines of several colours: one for each of a chart's series. */
const SERIES = [
  { light: "#0969da", dark: "#58a6ff" },
  { light: "#2f7d4f", dark: "#3fb950" },
  { light: "#8250df", dark: "#bc8cff" },
  { light: "#c26a1a", dark: "#f0883e" },
  { light: "#bf3989", dark: "#f778ba" },
];

/** A chart of this size with everything in it. */
export function svg(title, width, height, parts) {
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeMarkup(title)}" class="chart" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="12">`,
    `<style>${rulesOf(LIGHT, "light")}\n@media (prefers-color-scheme: dark) {${rulesOf(DARK, "dark")}\n}</style>`,
    `<rect width="${width}" height="${height}" class="paper"/>`,
    ...parts,
    "</svg>",
  ];
  return `${lines.join("\n")}\n`;
}

/** Text at a place; `more` are further attributes. */
export function text(x, y, content, more = "") {
  return `<text x="${at(x)}" y="${at(y)}"${more === "" ? "" : ` ${more}`}>${escapeMarkup(content)}</text>`;
}

/** A line between two places, of a class. */
export function line(x1, y1, x2, y2, kind, more = "") {
  return `<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}" class="${kind}"${more === "" ? "" : ` ${more}`}/>`;
}

/** A coordinate, with no more digits than are seen. */
export function at(value) {
  return Number(value.toFixed(1));
}

/** From values to places between two ends, logarithmic: as much more is as far everywhere. */
export function logarithmic(low, high, from, to) {
  const width = Math.log(high / low);
  return (value) => from + (Math.log(Math.max(value, low) / low) / width) * (to - from);
}

function rulesOf({ paper, ink, faint, win, loss }, shade) {
  const series = SERIES.map(
    (colours, n) =>
      `.chart .stroke${n} { stroke: ${colours[shade]}; fill: none } .chart .fill${n} { fill: ${colours[shade]} }`,
  );
  return [
    "",
    `.chart { fill: ${ink} } .chart .paper { fill: ${paper} } .chart .axis { stroke: ${ink} } .chart .grid { stroke: ${faint} }`,
    `.chart .win { fill: ${win} } .chart .loss { fill: ${loss} } .chart .goal { stroke: ${loss} }`,
    ...series,
  ].join("\n");
}
