// Bundles src to the modules of dist, with maps to the sources. Node takes about half a millisecond for each file of a program:
// in some 70 files of its own, the root takes two to three times as long to load.
import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { rolldown } from "rolldown";

/** Modules that programs of this repository use from dist, beside those that package.json names. */
const INTERNAL_MODULES = ["cli/progress", "cli/report-error", "cli/stop-signal"];

/**
 * Writes one file for each module that package.json names, and one for what several of these share.
 * @returns the files written, from dist
 */
export async function bundle(root) {
  const sourceOf = (module) => join(root, "src", `${module}.ts`);
  const input = [...publicModules(root), ...INTERNAL_MODULES];
  const bundler = await rolldown({
    cwd: root,
    input: Object.fromEntries(input.map((module) => [module, sourceOf(module)])),
    platform: "node",
    // Packages stay what they are: those who use Tidings install them, or do not.
    external: (id) => !id.startsWith(".") && !isAbsolute(id),
    // As what tsconfig.json says.
    transform: { target: "es2023" },
    // The command line loads at once what a service may never need.
    checks: { ineffectiveDynamicImport: false },
  });
  try {
    let core;
    const { output } = await bundler.write({
      dir: join(root, "dist"),
      sourcemap: true,
      // What a program loads with the root is in one file, and under the names that it has.
      codeSplitting: {
        groups: [
          {
            debugName: "core",
            name: (id, graph) => {
              core ??= loadedWith(sourceOf("index"), graph);
              return core.has(id) ? "core" : null;
            },
          },
        ],
      },
      minifyInternalExports: false,
      entryFileNames: "[name].js",
      // Not with a hash: a program that runs while dist is written anew still finds what it has yet to load.
      chunkFileNames: "shared/[name].js",
    });
    return output.map(({ fileName }) => fileName);
  } finally {
    await bundler.close();
  }
}

/** The modules that package.json names, as paths from src or dist, without their ending. */
function publicModules(root) {
  const { bin, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const targets = [...Object.values(exports), ...Object.values(bin)].map((target) => target.default ?? target);
  return targets.flatMap((target) => /^\.\/dist\/(.*)\.js$/.exec(target)?.[1] ?? []);
}

/** A module, and all that is loaded before it runs. */
function loadedWith(entry, graph) {
  const found = new Set([entry]);
  for (const id of found) for (const imported of graph.getModuleInfo(id)?.importedIds ?? []) found.add(imported);
  return found;
}
