import { describe, expect, test } from "vitest";
import { filesUnder, textOf, withoutComments } from "./tree.ts";

/** A file longer than this holds more than one thing. */
const MAX_LINES = 450;

const sources = filesUnder("src", ".ts");
const ROOMS = ["src", "test", "scripts", "examples", "demo", "bench", "chaos", "docs", ".ci"];
const TOP = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "package.json", "biome.json", "knip.json"];
/** What tests write: not part of the project. */
const WRITTEN = "test/conformance/report/";
const tree = [...ROOMS.flatMap((room) => filesUnder(room)), ...TOP, "vitest.config.ts"].filter(
  (path) => !path.startsWith(WRITTEN),
);

/** What must not appear anywhere, and what must not appear in code. Put together here so that this file stays clean. */
const FORBIDDEN = [/\/(?:work|root|home)\/\w/, new RegExp(`\\b(?:${["TO", "FIX"].join("DO|")}ME)\\b`)];
const FORBIDDEN_IN_CODE = [
  new RegExp(`\\bas ${"any"}\\b`),
  new RegExp(`@ts-${"ignore"}|@ts-${"nocheck"}`),
  new RegExp(`\\b(?:test|it|describe|suite)\\.(?:${"only"}|${"skip"})\\(`),
];

function hits(paths: readonly string[], patterns: readonly RegExp[], read: (path: string) => string): string[] {
  return paths.flatMap((path) =>
    read(path)
      .split("\n")
      .flatMap((line, index) =>
        patterns.some((one) => one.test(line)) ? [`${path}:${index + 1}: ${line.trim()}`] : [],
      ),
  );
}

/** Exported declarations without a doc comment. Of overloads, the first carries it. */
function undocumented(path: string): string[] {
  const lines = textOf(path).split("\n");
  const found: string[] = [];
  let last = "";
  for (const [index, line] of lines.entries()) {
    const name =
      /^export (?:default )?(?:abstract )?(?:async )?(?:function\*?|class|interface|type|const|let|enum) (\w+)/.exec(
        line,
      )?.[1];
    if (name === undefined) continue;
    let above = index - 1;
    while (/^\/\/ biome-ignore/.test(lines[above] ?? "")) above -= 1;
    if (!/\*\/\s*$/.test(lines[above] ?? "") && name !== last) found.push(`${path}:${index + 1}: ${name}`);
    last = name;
  }
  return found;
}

describe("the house style", () => {
  test(`keeps files of src under ${MAX_LINES} lines`, () => {
    const long = sources.filter((path) => textOf(path).split("\n").length - 1 > MAX_LINES);
    expect(long).toEqual([]);
  });

  test("wants a doc comment on every exported symbol of src", () => {
    expect(sources.flatMap(undocumented)).toEqual([]);
  });

  test("names files in kebab-case", () => {
    const odd = [...sources, ...filesUnder("test", ".ts")].filter((path) => !/^[a-z0-9/.-]+$/.test(path));
    expect(odd).toEqual([]);
  });

  test("leaves no machine's paths and no notes to oneself", () => {
    expect(hits(tree, FORBIDDEN, textOf)).toEqual([]);
  });

  test("has no escape from the type checker and no test that is switched off", () => {
    const code = tree.filter((path) => /\.(ts|mjs)$/.test(path));
    expect(hits(code, FORBIDDEN_IN_CODE, (path) => withoutComments(textOf(path)))).toEqual([]);
  });

  test("exports by name, never everything", () => {
    expect(hits(sources, [/^export \* from/, /^export default/], textOf)).toEqual([]);
  });
});
