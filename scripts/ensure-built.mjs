// Builds the package when dist is missing or older than src: what runs is what the sources say. The same for chaos, whose
// sources are TypeScript and use those of the tests' engines.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What `tsconfig.chaos.json` compiles from, and what says when it last did. */
const CHAOS_SOURCES = ["chaos", "test/support", "src"];
const CHAOS_STAMP = join(root, ".tmp/chaos/built");

/** Builds if it is needed, and ends the process where that fails. The build's words go to standard error. */
export function ensureBuilt() {
  const builtAt = changedAtIfThere(join(root, "dist/index.js"));
  const needed = filesUnder("src").some((path) => changedAt(join(root, path)) > builtAt);
  if (needed) run([join(root, "scripts/build.mjs")]);
}

/** Compiles chaos to `.tmp/chaos` if it is needed, and ends the process where that fails. It needs a built package. */
export function ensureChaosBuilt() {
  const sources = ["tsconfig.chaos.json", "scripts/engines.mjs", ...CHAOS_SOURCES.flatMap(filesUnder)];
  const builtAt = changedAtIfThere(CHAOS_STAMP);
  if (sources.every((path) => changedAt(join(root, path)) < builtAt)) return;
  run([join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.chaos.json"]);
  writeFileSync(CHAOS_STAMP, "");
}

function run(args) {
  const build = spawnSync(process.execPath, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (build.error) throw build.error;
  if (build.status !== 0) process.exit(build.status ?? 1);
}

/** The files under a folder of the project, as paths from its root. */
function filesUnder(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

function changedAt(path) {
  return statSync(path).mtimeMs;
}

/** 0 for what is not there. */
function changedAtIfThere(path) {
  return existsSync(path) ? changedAt(path) : 0;
}
