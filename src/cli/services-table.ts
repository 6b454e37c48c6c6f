import Table from "cli-table3";
import type { Service } from "../registry.ts";
import { visible } from "./escape.ts";
import { summarize } from "./service-summary.ts";
import type { Output } from "./terminal.ts";

const HEADINGS = ["service", "version", "nodes", "topics", "queues"] as const;

/** What a column needs beside its text: a border and a blank on both sides. */
const COLUMN_FRAME = 3;
const MIN_TEXT = 6;

/** Services as a table no wider than the terminal; without a terminal as wide as it needs. */
export function servicesTable(services: readonly Service[], stdout: Output): string {
  const rows = services.map(cells);
  const natural = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => textWidth(row[column] ?? ""))),
  );
  const available = stdout.isTTY === true && stdout.columns ? stdout.columns : Number.POSITIVE_INFINITY;
  const table = new Table({
    head: [...HEADINGS],
    colWidths: shrink(natural, available).map((width) => width + COLUMN_FRAME - 1),
    wordWrap: true,
    wrapOnWordBoundary: false,
    style: { head: [], border: [], compact: true },
  });
  table.push(...rows);
  return table.toString();
}

function cells(service: Service): string[] {
  const { nodes, addresses, topics, queues } = summarize(service);
  const where = addresses.length === 0 ? `${nodes}` : `${nodes}: ${addresses.join(", ")}`;
  return [service.name, service.version, where, topics.join(", "), queues.join(", ")].map(visible);
}

/** Takes from the widest column, again and again, until all fit. */
function shrink(natural: readonly number[], available: number): number[] {
  const widths = [...natural];
  const frames = widths.length * COLUMN_FRAME + 1;
  let excess = widths.reduce((sum, width) => sum + width, frames) - available;
  while (excess > 0) {
    const widest = widths.indexOf(Math.max(...widths));
    if ((widths[widest] ?? 0) <= MIN_TEXT) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess -= 1;
  }
  return widths;
}

/** An upper bound of the columns that a text takes: characters beyond the Latin ones may take two. */
function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += (character.codePointAt(0) ?? 0) > 0x2ff ? 2 : 1;
  return width;
}
