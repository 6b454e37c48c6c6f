import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SCHEMES } from "../../src/schemes.ts";
import { documents, filesUnder, importsOf, manifest, ROOT, textOf } from "./tree.ts";

const subpaths = Object.entries(manifest().exports).flatMap(([subpath, target]) =>
  typeof target === "string" ? [] : [{ subpath, ...target }],
);
const source = (target: string) => target.replace(/^\.\/dist\//, "src/").replace(/(\.d\.ts|\.js)$/, ".ts");
const prose = documents().map(textOf).join("\n");

describe("the exports of package.json", () => {
  test.each(subpaths)("$subpath has a source, and types from the same file", (entry) => {
    expect(Object.keys(entry), "types come first").toEqual(["subpath", "types", "default"]);
    expect(source(entry.types)).toBe(source(entry.default));
    expect(existsSync(join(ROOT, source(entry.default))), source(entry.default)).toBe(true);
  });

  test("reach every driver and every registry", () => {
    const exported = new Set(subpaths.map((entry) => source(entry.default)));
    const rooms = [...filesUnder("src/drivers", "index.ts"), ...filesUnder("src/registries", "index.ts")].filter(
      (path) => path.split("/").length === 4,
    );
    expect(rooms.filter((path) => !exported.has(path))).toEqual([]);
  });

  test.each(subpaths)("$subpath is documented", ({ subpath }) => {
    const specifier = subpath === "." ? "tidings" : `tidings/${subpath.slice(2)}`;
    expect(prose, `README.md or docs name "${specifier}"`).toMatch(new RegExp(`["\`]${specifier}["\`]`));
  });

  test("have no other subpath in the documents", () => {
    const known = new Set(subpaths.map(({ subpath }) => `tidings${subpath.slice(1)}`));
    const named = documents().flatMap((path) =>
      [...textOf(path).matchAll(/\bfrom "(tidings(?:\/[\w/-]+)?)"/g)].map((match) => `${path}: ${match[1]}`),
    );
    expect(named.filter((line) => !known.has(line.split(": ")[1] ?? ""))).toEqual([]);
  });
});

describe("the drivers", () => {
  test("have a page each in docs", () => {
    const names = filesUnder("src/drivers", "index.ts").map((path) => path.split("/")[2] ?? "");
    expect(names.filter((name) => !existsSync(join(ROOT, `docs/${name}.md`)))).toEqual([]);
  });
});

describe("the URL schemes", () => {
  test.each(SCHEMES)("$scheme is documented", ({ scheme }) => {
    expect(prose).toContain(`\`${scheme}:`);
  });

  test("of drivers that exist lead to all of them, and to none that does not", () => {
    const loaded = importsOf("src/schemes.ts").filter(
      ({ kind, to }) => kind === "dynamic" && to.startsWith("src/drivers/"),
    );
    const indexes = filesUnder("src/drivers", "index.ts").filter((path) => path.split("/").length === 4);
    expect([...new Set(loaded.map(({ to }) => to))].sort()).toEqual(indexes);
  });
});
