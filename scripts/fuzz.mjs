// npm run fuzz [-- --inputs 100000] [--seed N] [--only wire|go-micro|encrypted-door|registry-files]
// Fuzzes both wires of the HTTP broker, its encrypted door and the files of the local registry. The same seed is the same run;
// without one it is the time, and is printed. Exit status 1 if something happened that must not.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const targets = readdirSync(join(root, "test/fuzz"))
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => name.slice(0, -".test.ts".length));

let values;
try {
  ({ values } = parseArgs({
    options: { inputs: { type: "string" }, seed: { type: "string" }, only: { type: "string" } },
  }));
} catch (error) {
  usage(error.message);
}
const inputs = values.inputs ?? "100000";
const seed = values.seed ?? String(Date.now() % 2 ** 31);
if (!/^[1-9]\d{0,8}$/.test(inputs)) usage(`--inputs is a number of inputs, not ${JSON.stringify(inputs)}`);
if (!/^\d{1,10}$/.test(seed)) usage(`--seed is a whole number, not ${JSON.stringify(seed)}`);
if (values.only !== undefined && !targets.includes(values.only)) usage(`--only is one of ${targets.join(", ")}`);

console.log(`${inputs} inputs each, seed ${seed}`);
const files = (values.only === undefined ? targets : [values.only]).map((name) => `test/fuzz/${name}.test.ts`);
const { status } = spawnSync(
  process.execPath,
  [join(root, "node_modules/vitest/vitest.mjs"), "run", "--no-file-parallelism", ...files],
  { cwd: root, stdio: "inherit", env: { ...process.env, TIDINGS_FUZZ_INPUTS: inputs, TIDINGS_FUZZ_SEED: seed } },
);
process.exit(status ?? 1);

function usage(problem) {
  console.error(`${problem}\nnpm run fuzz -- [--inputs N] [--seed N] [--only ${targets.join("|")}]`);
  process.exit(2);
}
