// What a report consists of: a section for each group, and one for each curve of growth.
import { chart } from "./chart.mjs";
import { growthChart } from "./growth/chart.mjs";
import { CURVES } from "./growth/curves.mjs";
import { goalLine, growthCells } from "./growth/tables.mjs";
import { commandOf, promiseCells } from "./notes.mjs";
import { cellsOf } from "./tables.mjs";

/** What bars show: not latency, which swings more from round to round than it says. */
const CHARTED = ["throughput", "time", "cpu", "memory"];

/**
 * The sections of a report, in order. `level` of the heading; `chart`: `{ name, alternative, svg }`; `command`: what repeats each
 * row of the first table, where it is not said otherwise; `tables`: cells, the head first.
 */
export function sectionsOf({ groups }) {
  return groups.flatMap((group) => (group.name === "growth" ? growthSections(group) : [groupSection(group)]));
}

function groupSection({ name, title, about, rows }) {
  const charted = rows.filter(({ measure }) => CHARTED.includes(measure));
  const promises = promiseCells(rows);
  return {
    level: 2,
    title,
    about: about === undefined ? [] : [about],
    chart: { name, alternative: `${title}: ratios as bars`, svg: chart(title, charted) },
    command: commandOf(name),
    tables: [cellsOf(rows), ...(promises.length === 1 ? [] : [promises])],
  };
}

function growthSections({ title, about, rows }) {
  const measured = Object.keys(CURVES).filter((curve) => rows.some((row) => row.curve === curve));
  const curves = measured.map((curve) => {
    const own = rows.filter((row) => row.curve === curve);
    const goal = goalLine(curve, own);
    const cost = own.filter(({ measure }) => measure === "cpu");
    const svg = growthChart(curve, cost);
    return {
      level: 3,
      title: CURVES[curve].title,
      about: [CURVES[curve].about, goal].filter((one) => one !== undefined),
      chart: { name: `growth-${curve}`, alternative: `${CURVES[curve].title}: cost as curves`, svg },
      tables: [growthCells(curve, own)],
    };
  });
  return [{ level: 2, title, about: [about, `Again with: ${commandOf("growth")}.`], tables: [] }, ...curves];
}

/** The tables of a section, for who reads them elsewhere: the first with a last column that says what repeats a row. */
export function tablesToKeep({ command, tables: [first, ...others] }) {
  if (command === undefined || first === undefined) return first === undefined ? [] : [first, ...others];
  const [head, ...body] = first;
  return [[[...head, "again with"], ...body.map((row) => [...row, command])], ...others];
}
