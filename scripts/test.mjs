// npm test: builds, then runs every test in the quick profile, with coverage.
// npm run test:full: the same in the full profile (TIDINGS_TEST_PROFILE=full): more messages, more rounds.
// Further arguments go to vitest; then neither the coverage nor the README's capability matrix is checked.
// Tests on engines need their programs: scripts/engines.mjs says which are there, and installs them if it is asked to.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { prepareEngines } from "./engines.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const full = process.argv.includes("--full");
const further = process.argv.slice(2).filter((argument) => argument !== "--full");

if (!prepareEngines()) process.exit(1);
run([join(root, "scripts/build.mjs")]);
run([join(root, "node_modules/vitest/vitest.mjs"), "run", ...(further.length === 0 ? ["--coverage"] : further)], {
  TIDINGS_TEST_PROFILE: full ? "full" : "quick",
});

if (further.length === 0) run([join(root, "scripts/capabilities.mjs"), "--check"]);

function run(args, env = {}) {
  const child = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env } });
  if (child.error) throw child.error;
  if (child.status !== 0) process.exit(child.status ?? 1);
}
