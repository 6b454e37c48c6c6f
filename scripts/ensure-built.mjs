// Builds the package when dist is missing or older than src: what runs is what the sources say.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Builds if it is needed, and ends the process where that fails. The build's words go to standard error. */
export function ensureBuilt() {
  if (!isStale()) return;
  const build = spawnSync(process.execPath, [join(root, "scripts/build.mjs")], { cwd: root, stdio: ["ignore", 2, 2] });
  if (build.error) throw build.error;
  if (build.status !== 0) process.exit(build.status ?? 1);
}

/** Whether dist lacks something that src has, or has it older. */
function isStale() {
  const sources = join(root, "src");
  return readdirSync(sources, { recursive: true, withFileTypes: true }).some((entry) => {
    if (!entry.isFile()) return false;
    const source = join(entry.parentPath, entry.name);
    const built = join(root, "dist", relative(sources, source)).replace(/\.ts$/, ".js");
    return !existsSync(built) || statSync(built).mtimeMs < statSync(source).mtimeMs;
  });
}
