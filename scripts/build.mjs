// npm run build: declares the types of src in dist with tsc, bundles its modules, then checks that package.json and dist agree.
// dist is written in place and pruned afterwards, so that a process that runs from it never finds it empty.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "./bundle.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, "dist");
const startedAt = performance.now();

/** Folders of drivers and registries that have an index but no subpath of their own, on purpose. */
const INTERNAL_ROOMS = new Set([]);

const compiler = spawnSync(
  process.execPath,
  [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.build.json"],
  { cwd: root, stdio: "inherit" },
);
if (compiler.error) throw compiler.error;
if (compiler.status !== 0) process.exit(1);

const files = await bundle(root);
prune(new Set(files.map((file) => join(dist, file))));
const problems = [...targetProblems(), ...roomProblems()];
for (const problem of problems) console.error(`build: ${problem}`);
if (problems.length > 0) process.exit(1);
const modules = files.filter((file) => file.endsWith(".js"));
console.log(`build: ${modules.length} modules in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);

/** Removes from dist what was not bundled now, and declarations that no longer have a source. */
function prune(bundled) {
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const source = join(root, "src", relative(dist, path).replace(/\.d\.ts$/, ".ts"));
    if (!bundled.has(path) && !existsSync(source)) rmSync(path);
  }
}

/** Every target of `exports` and `bin` exists; programs start with a shebang and can be executed. */
function targetProblems() {
  const { bin, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const found = [];
  for (const [subpath, target] of Object.entries(exports)) {
    for (const path of typeof target === "string" ? [target] : Object.values(target)) {
      if (!existsSync(join(root, path))) found.push(`exports["${subpath}"] names ${path}, which does not exist`);
    }
  }
  for (const [name, path] of Object.entries(bin)) {
    if (!existsSync(join(root, path))) {
      found.push(`bin.${name} names ${path}, which does not exist`);
      continue;
    }
    if (!readFileSync(join(root, path), "utf8").startsWith("#!")) found.push(`bin.${name} (${path}) has no shebang`);
    chmodSync(join(root, path), 0o755);
  }
  return found;
}

/** Every driver and registry that has a folder with an index can be imported from outside. */
function roomProblems() {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const exported = new Set(Object.values(exports).map((target) => target.default ?? target));
  const found = [];
  for (const kind of ["drivers", "registries"]) {
    if (!existsSync(join(dist, kind))) continue;
    for (const entry of readdirSync(join(dist, kind), { withFileTypes: true })) {
      const index = ["dist", kind, entry.name, "index.js"].join("/");
      if (!entry.isDirectory() || !existsSync(join(root, ...index.split("/")))) continue;
      if (exported.has(`./${index}`) || INTERNAL_ROOMS.has(`${kind}/${entry.name}`)) continue;
      found.push(`${index.replaceAll("/", sep)} is neither in "exports" nor declared internal in scripts/build.mjs`);
    }
  }
  return found;
}
