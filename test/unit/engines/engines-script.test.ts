import { existsSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { engineUrl, missingEngine } from "../../support/engines/find-engine.ts";

interface Engine {
  readonly title: string;
  readonly program: string;
  readonly package: string;
  readonly variable: string;
  version(path: string): string | undefined;
}

const { findProgram, prepareEngines } = (await import(
  new URL("../../../scripts/engines.mjs", import.meta.url).href
)) as {
  findProgram(name: string, env?: NodeJS.ProcessEnv): string | undefined;
  prepareEngines(env: NodeJS.ProcessEnv, engines: readonly Engine[]): boolean;
};

/** An engine that no machine has. */
const ENGINE: Engine = {
  title: "Imaginary",
  program: "tidings-imaginary-server",
  package: "tidings-imaginary",
  variable: "TIDINGS_TEST_IMAGINARY_URL",
  version: () => "1.2.3",
};
const INSTALL = { TIDINGS_TEST_ENGINES: "install" };
const isRoot = process.getuid?.() === 0;

describe("the engines of the tests", () => {
  let folder: string;
  let said: string[];

  const program = async (name: string, script: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, `#!/bin/sh\n${script}\n`);
    await chmod(path, 0o755);
    return path;
  };
  const prepare = (env: NodeJS.ProcessEnv = {}): boolean =>
    prepareEngines({ PATH: [folder, "/usr/bin", "/bin"].join(delimiter), ...env }, [ENGINE]);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tidings-engines-"));
    said = [];
    vi.spyOn(console, "log").mockImplementation((text: string) => void said.push(text));
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    await rm(folder, { recursive: true, force: true });
  });

  test("are programs on the PATH", async () => {
    const path = await program(ENGINE.program, "");
    expect(findProgram(ENGINE.program, { PATH: folder })).toBe(path);
    expect(prepare()).toBe(true);
    expect(said).toEqual([`engines: Imaginary: found (${ENGINE.program} 1.2.3, ${path})`]);
  });

  test("are URLs in variables, which are not printed", () => {
    expect(prepare({ [ENGINE.variable]: "imaginary://user:secret@host" })).toBe(true);
    expect(said).toEqual([`engines: Imaginary: found by ${ENGINE.variable}`]);
  });

  test("are skipped when they are missing, saying how to get them", () => {
    expect(prepare()).toBe(true);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(
      /skipped: no tidings-imaginary-server .* apt-get install tidings-imaginary, or set TIDINGS_/,
    );
  });

  test("are not files that cannot be run, or folders", async () => {
    await writeFile(join(folder, ENGINE.program), "");
    expect(findProgram(ENGINE.program, { PATH: folder })).toBeUndefined();
    expect(findProgram("unit", { PATH: "test" })).toBeUndefined();
  });

  test.runIf(isRoot)("are installed where that is asked for, after an update of the lists if need be", async () => {
    const policy = existsSync("/usr/sbin/policy-rc.d");
    await program(
      "apt-get",
      `echo "$DEBIAN_FRONTEND $*" >> ${folder}/calls
       if [ "$2" = update ]; then touch ${folder}/lists; exit 0; fi
       [ -f ${folder}/lists ] || exit 100
       printf '#!/bin/sh\\n' > ${folder}/${ENGINE.program}; chmod 755 ${folder}/${ENGINE.program}`,
    );
    expect(prepare(INSTALL)).toBe(true);
    expect(said.at(-1)).toMatch(/^engines: Imaginary: installed \(tidings-imaginary-server 1\.2\.3/);
    const install = "noninteractive -q install -y --no-install-recommends tidings-imaginary";
    expect((await readFile(join(folder, "calls"), "utf8")).trim().split("\n")).toEqual([
      install,
      "noninteractive -q update",
      install,
    ]);
    expect(existsSync("/usr/sbin/policy-rc.d")).toBe(policy);
  });

  test.runIf(isRoot)("that are still missing after that are a failure", async () => {
    await program("apt-get", "echo no such package; exit 100");
    expect(prepare(INSTALL)).toBe(false);
    expect(said.at(-1)).toMatch(/missing, and could not be installed: apt-get failed/);
    expect(said.join("\n")).toContain("no such package");
  });

  test("are named to the tests that need them", () => {
    const nowhere = { PATH: folder };
    expect(missingEngine("nats", { env: { PATH: process.env["PATH"] } })).toBe(
      findProgram("nats-server") === undefined ? expect.stringContaining("no nats-server") : undefined,
    );
    const url = "nats://127.0.0.1:4222";
    expect(engineUrl("nats", { TIDINGS_TEST_NATS_URL: url })).toBe(url);
    expect(engineUrl("nats", { TIDINGS_TEST_NATS_URL: "" })).toBeUndefined();
    expect(missingEngine("nats", { env: { ...nowhere, TIDINGS_TEST_NATS_URL: url } })).toBeUndefined();
  });
});
