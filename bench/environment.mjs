// Where and with what the bench ran.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, availableParallelism, cpus, loadavg, platform, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { goToolchain } from "../interop/peers.mjs";
import { ENGINES, findProgram } from "../scripts/engines.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const GIBIBYTE = 1024 ** 3;

/** The packages that take part: the project's, and those of `bench/peers`, which may have another version of the same. */
const PACKAGES = ["@nats-io/transport-node", "@nats-io/jetstream", "amqplib", "undici", "classic-level"];
const PEERS = Object.keys(read(join(ROOT, "bench/peers/package.json")).dependencies);

/** The machine with what else runs on it, and the versions of everything that takes part; of what is not installed, none. */
export function environment() {
  return {
    tidings: read(join(ROOT, "package.json")).version,
    node: process.version,
    system: `${platform()} ${arch()}`,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / GIBIBYTE),
    load: loadavg()[0],
    engines: Object.fromEntries(Object.values(ENGINES).flatMap(versionOfEngine)),
    packages: Object.fromEntries(PACKAGES.flatMap((name) => versionOf(".", name))),
    peers: {
      ...Object.fromEntries(PEERS.flatMap((name) => versionOf("bench/peers", name))),
      ...goVersions(),
    },
  };
}

/** The Go toolchain, and what its peer is built with; nothing where there is no Go. */
function goVersions() {
  const { found, version } = goToolchain();
  if (!found) return {};
  const [, module, of] = /require (\S+) v(\S+)/.exec(readFileSync(join(ROOT, "bench/peers/go/go.mod"), "utf8"));
  return { go: version.replace(/^go version go(\S+).*/, "$1"), [module]: of };
}

function versionOfEngine({ program, version }) {
  const path = findProgram(program);
  return path === undefined ? [] : [[program, version(path) ?? "of unknown version"]];
}

/** A package's name and version, as found from a folder. */
function versionOf(folder, name) {
  const from = createRequire(join(ROOT, folder, "package.json"));
  for (const modules of from.resolve.paths(name) ?? []) {
    try {
      return [[name, read(join(modules, name, "package.json")).version]];
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  return [];
}

function read(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}
