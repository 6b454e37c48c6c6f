import Table from "cli-table3";
import { COLUMNS } from "./cells.mjs";
import { SCENARIOS } from "./scenarios.mjs";

const STYLE = { head: [], border: [] };

/** The cells as a table; what is not green is numbered, with its reason below. */
export function table(rows) {
  const marks = new Marks();
  const drawn = new Table({ head: ["go-micro", "transport", "level", ...COLUMNS], style: STYLE });
  for (const { version, transport, level, cells } of rows)
    drawn.push([version, transport, level, ...cells.map((cell) => marks.of(cell))]);
  return [drawn.toString(), ...marks.reasons()].join("\n");
}

/** The scenarios as a table. */
export function scenarioTable(results) {
  const marks = new Marks();
  const versions = [...new Set(results.map(({ version }) => version))];
  const drawn = new Table({ head: ["", ...versions], style: STYLE });
  for (const name of Object.keys(SCENARIOS))
    drawn.push([name, ...results.filter(({ scenario }) => scenario === name).map((result) => marks.of(result))]);
  return [drawn.toString(), ...marks.reasons()].join("\n");
}

class Marks {
  #reasons = [];

  of({ ok, reason }) {
    if (ok) return "ok";
    if (!this.#reasons.includes(reason)) this.#reasons.push(reason);
    return `(${this.#reasons.indexOf(reason) + 1})`;
  }

  reasons() {
    return this.#reasons.map((reason, index) => `(${index + 1}) ${reason}`);
  }
}
