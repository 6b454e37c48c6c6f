import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { manifest, ROOT } from "../house/tree.ts";

const run = promisify(execFile);
const project = mkdtempSync(join(tmpdir(), "tidings-package-"));
const { exports, dependencies } = manifest();
/** The subpaths that need a package that is not there. */
const NEED_A_PACKAGE = new Set(["tidings/nats", "tidings/rabbitmq", "tidings/codec/protobuf"]);
const specifiers = Object.keys(exports)
  .filter((subpath) => subpath !== "./package.json")
  .map((subpath) => `tidings${subpath.slice(1)}`)
  .filter((specifier) => !NEED_A_PACKAGE.has(specifier));

/** Installs a package of this checkout in the project. */
function link(name: string): void {
  const target = join(project, "node_modules", name);
  mkdirSync(dirname(target), { recursive: true });
  symlinkSync(join(ROOT, "node_modules", name), target);
}

async function compile(): Promise<string> {
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  const answer = await run(process.execPath, [compiler, "-p", "."], { cwd: project }).catch(
    (error: { stdout: string }) => error,
  );
  return answer.stdout;
}

/** A project that has the packed package, what the package depends on, the types of Node, and nothing else. */
beforeAll(async () => {
  const npm = ["pack", "--ignore-scripts", "--silent", "--pack-destination", project];
  await run("npm", npm, { cwd: ROOT });
  const folder = join(project, "node_modules/tidings");
  mkdirSync(folder, { recursive: true });
  const packed = readdirSync(project).find((name) => name.endsWith(".tgz")) ?? "";
  await run("tar", ["-xzf", join(project, packed), "-C", folder, "--strip-components=1"]);
  for (const name of [...Object.keys(dependencies), "@types/node"]) link(name);
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    module: "NodeNext",
    target: "ES2022",
    types: ["node"],
    noEmit: true,
    // The types of the package themselves are checked.
    skipLibCheck: false,
  };
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module", private: true }));
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["index.ts"] }));
}, 60_000);

afterAll(() => rmSync(project, { recursive: true, force: true }));

describe("the packed package, with none of the optional clients", () => {
  test("type-checks in every subpath that needs none", async () => {
    const lines = specifiers.map((specifier, n) => `export * as subpath${n} from ${JSON.stringify(specifier)};`);
    writeFileSync(join(project, "index.ts"), lines.join("\n"));
    expect(await compile()).toBe("");
  });

  test("has types that find mistakes", async () => {
    const code = [
      'import { createService, topic } from "tidings";',
      'const service = createService({ name: "billing", brokr: "memory:" });',
      'service.subscribe(topic<{ id: number }>("t"), (order: { id: string }) => order.id);',
      'service.publisher(topic<{ id: number }>("t")).publish({ id: "7" });',
    ];
    writeFileSync(join(project, "index.ts"), code.join("\n"));
    const found = [...(await compile()).matchAll(/^index\.ts\((\d+),/gm)].map(([, line]) => Number(line));
    expect([...new Set(found)]).toEqual([2, 3, 4]);
  });

  test("can be imported, and its program runs", async () => {
    const code = `for (const one of ${JSON.stringify(specifiers)}) await import(one);`;
    await run(process.execPath, ["--input-type=module", "--eval", code], { cwd: project });
    const { stdout } = await run(process.execPath, [
      join(project, "node_modules/tidings/dist/cli/main.js"),
      "--version",
    ]);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
