import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { anchorsOf, blocksOf, exampleOf, exampleText, linksOf } from "./markdown.ts";
import { documents, filesUnder, manifest, ROOT, textOf } from "./tree.ts";

const run = promisify(execFile);
const pages = [...documents(), "CONTRIBUTING.md", "CHANGELOG.md"];
const blocks = pages.flatMap(blocksOf);
const typescript = blocks.filter((block) => /^(ts|typescript|js|javascript)$/.test(block.language));
const shell = blocks.filter((block) => /^(sh|bash|console)$/.test(block.language));
const examples = filesUnder("examples", ".ts");

describe("code in the documents", () => {
  test.each(typescript)("$at is a part of a file that runs, or says why not", ({ comment, text }) => {
    const example = exampleOf(comment);
    if (example === undefined) {
      expect(comment, "an HTML comment right above the block").toMatch(/^not run: \S/);
    } else {
      expect(text).toBe(exampleText(example));
    }
  });

  test.each(shell)("$at names scripts that exist", ({ text }) => {
    const scripts = new Set(Object.keys(manifest().scripts));
    const named = [...text.matchAll(/\bnpm run ([\w:-]+)|\bnpm (test)\b/g)].map((match) => match[1] ?? match[2] ?? "");
    expect(named.filter((name) => !scripts.has(name))).toEqual([]);
  });

  test("names commands of tidings that exist", async () => {
    const named = new Set(
      shell.flatMap(({ text }) => [...text.matchAll(/\bnpx tidings ([a-z]+)/g)].map((match) => match[1])),
    );
    const { stdout } = await run(process.execPath, [join(ROOT, "dist/cli/main.js"), "--help"]);
    const commands = new Set([...stdout.matchAll(/^ {2}([a-z]+)\b/gm)].map((match) => match[1]));
    expect([...named].filter((name) => !commands.has(name))).toEqual([]);
  });

  test.each(pages)("%s links to files and headings that exist", (page) => {
    const broken = linksOf(page).filter(({ target, anchor }) => {
      const path = target === "" ? page : join(dirname(page), target);
      if (!existsSync(join(ROOT, path))) return true;
      return anchor !== undefined && path.endsWith(".md") && !anchorsOf(path).includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});

describe("the examples", () => {
  const home = mkdtempSync(join(tmpdir(), "tidings-docs-"));

  beforeAll(async () => {
    await run(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.examples.json"], {
      cwd: ROOT,
    }).catch((error: { stdout?: string }) => {
      throw new Error(`The examples do not compile:\n${error.stdout}`, { cause: error });
    });
  });

  afterAll(() => rmSync(home, { recursive: true, force: true }));

  test.each(examples)("%s runs, and prints what it says", async (path) => {
    const program = join(ROOT, ".tmp/examples", path.replace(/\.ts$/, ".js"));
    const environment: NodeJS.ProcessEnv = { ...process.env, HOME: home, TMPDIR: home, XDG_RUNTIME_DIR: home };
    for (const name of Object.keys(environment)) if (/^(TIDINGS|MICRO)_/.test(name)) delete environment[name];
    const { stdout, stderr } = await run(process.execPath, [program], { env: environment, timeout: 20_000 });
    expect(stderr).toBe("");
    expect(stdout).toBe(textOf(path.replace(/\.ts$/, ".out")));
  });
});
