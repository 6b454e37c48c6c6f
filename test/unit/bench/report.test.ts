import { describe, expect, test } from "vitest";
import { load, type Report, type Row, report, row, steady } from "./bench.ts";

const { htmlReport, markdownReport, textReport } = await load<{
  htmlReport(report: Report): string;
  markdownReport(report: Report, charts: (name: string) => string): string;
  textReport(report: Report): string;
}>("report.mjs");
const { chart } = await load<{ chart(title: string, rows: readonly Row[]): string }>("chart.mjs");
const { replaceGenerated } = await load<{ replaceGenerated(page: string, generated: string): string }>("docs.mjs");
const { readArguments } = await load<{ readArguments(args: readonly string[]): Record<string, unknown> }>(
  "arguments.mjs",
);
const { chosenGroups, GROUPS, membersOf } = await load<{
  chosenGroups(
    only: readonly string[] | undefined,
    options?: { peers?: boolean },
  ): { readonly name: string; readonly peers: readonly string[] }[];
  readonly GROUPS: readonly { readonly name: string }[];
  membersOf(group: object): string[];
}>("groups.mjs");
const { CONTESTANTS } = await load<{
  readonly CONTESTANTS: Readonly<Record<string, { readonly waitsFor: string; readonly less?: string }>>;
}>("contestants.mjs");

const rows = [
  row("throughput", { median: 0.5, min: 0.4, max: 0.6 }, { own: steady(50_000), other: steady(100_000) }),
  row("cpu", steady(3)),
  row("throughput", steady(14), { bodyBytes: 1024, own: steady(70), other: steady(5) }),
];

describe("the bench's report", () => {
  test("is a table with figures and ratios, and names who did not take part", () => {
    const text = textReport(report(rows, { skipped: { rabbitmq: "no rabbitmq-server on the PATH" } }));
    const [title, about, head, first, second] = text.split("\n").map((line) => line.split(/ {2,}/));
    expect([title, about]).toEqual([["HTTP broker"], ["Two processes."]]);
    expect(head).toEqual([
      "Tidings",
      "beside",
      "body",
      "ours, /s",
      "theirs, /s",
      "messages/s, ours / theirs",
      "CPU per message, ours / theirs",
    ]);
    expect(first).toEqual(["http", "raw-tcp", "100 B", "50000", "100000", "0.50 (0.40-0.60)", "3.00 (3.00-3.00)"]);
    expect(second).toEqual(["http", "raw-tcp", "1 KiB", "70.00", "5.00", "14.00 (14.00-14.00)"]);
    expect(text).toContain("Not measured: rabbitmq: no rabbitmq-server on the PATH.");
  });

  test("in Markdown says where it ran, what repeats a row, and who promises less", () => {
    const text = markdownReport(report(rows), (name) => `charts/${name}.svg`);
    expect(text).toContain("- Measured on 2026-11-22: Tidings 1.2.3, Node v20.19.0.");
    expect(text).toContain("- Machine: 2 cores of A <fast> one, 4 GiB, linux x64; load average when it began: 0.3.");
    expect(text).toContain("- Packages: amqplib 2.3.1.\n- Peers, with what they need: amqplib 0.10.9.");
    expect(text).toContain("![HTTP broker: ratios as bars](charts/http.svg)");
    expect(text).toContain("| 3.00 (3.00-3.00) | npm run bench -- --only http |");
    expect(text).toContain(
      `| raw-tcp | ${CONTESTANTS["raw-tcp"]?.waitsFor} | 2000 | 1 | ${CONTESTANTS["raw-tcp"]?.less} |`,
    );
    const widths = text.split("\n").flatMap((line) => (line.startsWith("| http ") ? [line.split("|").length] : []));
    expect(new Set(widths.slice(0, 2)).size).toBe(1);
  });

  test("as a page needs nothing else, and lets no text through as markup", () => {
    const page = htmlReport(report(rows));
    expect(page.match(/<svg /g)).toHaveLength(1);
    expect(page).toContain("A &#60;fast&#62; one");
    expect(page.replaceAll('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:|src=|<link|<script/);
  });

  test("a chart has a bar for each row, by measure, to the left of 1 for less, in the colour of gain or loss", () => {
    const svg = chart("HTTP broker", rows);
    const bars = [...svg.matchAll(/<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="12" class="(\w+)"/g)];
    const one = Number(/<line x1="([\d.]+)"[^>]*class="axis"\/>\n<text[^>]*>1</.exec(svg)?.[1]);
    expect(bars.map(([, , , kind]) => kind)).toEqual(["loss", "win", "loss"]);
    const [half, fourteen, three] = bars.map(([, from, width]) => [Number(from), Number(from) + Number(width)]);
    for (const end of [half?.[1], fourteen?.[0], three?.[0]]) expect(end).toBeCloseTo(one, 0);
    expect(fourteen?.[1]).toBeGreaterThan(three?.[1] ?? 0);
    expect(svg.match(/\((?:more|less) is better\)/g)).toEqual(["(more is better)", "(less is better)"]);
    expect(svg).not.toMatch(/NaN|undefined/);
  });

  test("a page keeps what stands around its generated part", () => {
    const page = "# Page\n\n<!-- bench: begin -->\n\nold\n\n<!-- bench: end -->\nrest\n";
    const once = replaceGenerated(page, "new");
    expect(once).toBe("# Page\n\n<!-- bench: begin -->\n\nnew\n\n<!-- bench: end -->\nrest\n");
    expect(replaceGenerated(once, "new")).toBe(once);
    expect(() => replaceGenerated("# Page\n", "new")).toThrow(/no part between/);
  });
});

describe("the bench's choice", () => {
  test("is a group with everybody, or a contestant with those that it is compared with", () => {
    expect(chosenGroups(undefined).map(({ name }) => name)).toEqual(GROUPS.map(({ name }) => name));
    expect(chosenGroups(["http"])).toMatchObject([
      { name: "http", peers: ["moleculer", "nest-tcp", "axon", "go-micro"] },
    ]);
    expect(chosenGroups(["axon"])).toMatchObject([{ name: "http", peers: ["axon"] }]);
    expect(chosenGroups(["raw-tcp"])).toMatchObject([{ name: "http", peers: [] }]);
    expect(chosenGroups(["storage"])).toEqual([]);
    expect(chosenGroups(undefined, { peers: false }).every(({ peers }) => peers.length === 0)).toBe(true);
    expect(() => chosenGroups(["nobody"])).toThrow(/no "nobody"/);
  });

  test("has only contestants that there are, and says of each when a send is done", () => {
    const members = GROUPS.flatMap((group) => membersOf(group));
    expect(members.filter((name) => CONTESTANTS[name]?.waitsFor === undefined)).toEqual([]);
    expect(Object.keys(CONTESTANTS).filter((name) => !members.includes(name))).toEqual([]);
  });

  test("writes documents and a baseline of the whole only", () => {
    expect(() => readArguments(["--docs", "--only", "http"])).toThrow(/whole/);
    expect(() => readArguments(["--write-baseline", "--only", "http"])).toThrow(/whole/);
    expect(() => readArguments(["--check", "--in-flight", "8"])).toThrow(/whole bench as it is/);
    expect(readArguments(["--in-flight", "8"])).toMatchObject({ inFlight: 8 });
    expect(() => readArguments(["--rounds", "0"])).toThrow(/--rounds takes a whole number/);
    expect(readArguments(["--check"])).toMatchObject({ check: true, peers: false, rounds: 3 });
  });
});
