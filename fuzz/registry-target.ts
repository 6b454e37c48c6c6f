import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { local } from "../src/registries/local/index.ts";
import { currentOwner, ownedStem } from "../src/registries/local/owner.ts";
import type { Service } from "../src/registry.ts";
import { mutate } from "./mutate.ts";
import { type FuzzOutcome, inBatches, openSockets, socketsLeft } from "./outcome.ts";
import { Random } from "./random.ts";

/** Files at a time. */
const BATCH = 20;

/** How long records hold: longer than any run, in milliseconds. */
const TTL_MS = 86_400_000;

const HEALTHY = "healthy.service";

/**
 * Fuzzes the files of the `local` registry: in a folder with the records of a process that behaves, files of live processes,
 * of nobody and of no known form are put whose content, and now and then whose name, is changed at random.
 */
export async function fuzzRegistryFiles(inputs: number, seed: number): Promise<FuzzOutcome> {
  const before = openSockets();
  const parent = await mkdtemp(join(tmpdir(), "tidings-fuzz-"));
  const folder = join(parent, "registry");
  const registry = local({ folder });
  const healthy = serviceOf(HEALTHY, 1);
  await registry.register(healthy, { ttlMs: TTL_MS });
  const corpus = await filesOf(join(parent, "corpus"));
  const failures: string[] = [];
  const written: string[] = [];
  let [delivered, refused] = [0, 0];

  const run = async (index: number) => {
    const random = new Random((seed ^ Math.imul(index + 1, 0x9e3779b1)) >>> 0);
    const [one, other] = [random.pick(corpus), random.pick(corpus)];
    const content = random.chance(10) ? one : mutate(random, one, other);
    const path = join(folder, nameOf(random, index));
    written.push(path);
    await writeFile(path, content, { mode: 0o600 });
  };

  const after = async () => {
    // Another instance reads all of them afresh; the first only what has changed.
    for (const reader of [local({ folder }), registry]) {
      const services = await reader.listServices();
      for (const service of services) {
        const wrong = wrongIn(service);
        if (wrong !== undefined) failures.push(`${wrong}: ${JSON.stringify(service)}`);
      }
      const [found] = await reader.getService(HEALTHY);
      if (!found?.nodes.some(({ id, address }) => id === "node-1" && address === "127.0.0.1:7001"))
        failures.push("the record of a process that behaves is gone");
      delivered += services.length;
    }
    if (Object.hasOwn(Object.prototype, "polluted")) failures.push("the prototype of all objects was changed");
    refused += written.length;
    for (const path of written.splice(0)) await rm(path, { force: true, recursive: true });
  };

  const heapGrowth = await inBatches(inputs, BATCH, run, after);
  await registry.deregister(healthy);
  await rm(parent, { recursive: true, force: true });
  return { inputs, delivered, refused, failures, heapGrowth, socketsLeft: await socketsLeft(before) };
}

/** Files as the registry writes them, of services that nobody else has. */
async function filesOf(folder: string): Promise<Buffer[]> {
  const registry = local({ folder });
  await registry.register(serviceOf("owned.service", 2), { ttlMs: TTL_MS });
  await registry.register(serviceOf("standing.service", 3), { standing: true, ttlMs: TTL_MS });
  const files = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name))));
  await registry.deregister(serviceOf("owned.service", 2));
  return files;
}

function serviceOf(name: string, number: number): Service {
  const metadata = { "tidings-wires": "1", topic: "t.x", polluted: "no", ü: "ü" };
  return {
    name,
    version: "1",
    metadata: { a: "b" },
    endpoints: [
      {
        name: "Handler.Call",
        metadata: { topic: "t.x" },
        request: { name: "Request", type: "Request", values: [{ name: "id", type: "int", values: null }] },
        response: null,
      },
    ],
    nodes: [{ id: `node-${number}`, address: `127.0.0.1:700${number}`, metadata }],
  };
}

/** A name that the registry reads, or one that is nearly such. */
function nameOf(random: Random, index: number): string {
  const number = index.toString(16).padStart(32, "0").slice(-32);
  const stem = ownedStem(currentOwner());
  return random.pick([
    () => `${stem}.json`,
    () => `${stem}.json`,
    () => `standing-${number}.json`,
    () => `1-0-${"0".repeat(12)}-${number.slice(-16)}.json`,
    () => `${index}.json`,
    () => `.${stem}.${index}.tmp`,
    () => `${nearly(random, stem, number)}.json`,
  ])();
}

/** A stem that is changed, within what a file may be called. */
function nearly(random: Random, stem: string, number: string): string {
  const changed = mutate(random, Buffer.from(stem), Buffer.from(number)).toString("latin1");
  return changed.replace(/[^0-9a-z-]/gi, "_").slice(0, 150) || number;
}

/** What of a service is not as its type says; `undefined` if nothing is. */
function wrongIn({ name, version, metadata, endpoints, nodes }: Service): string | undefined {
  if (typeof name !== "string" || typeof version !== "string") return "a name or version is no text";
  if (!isTexts(metadata)) return "metadata are no texts";
  if (!Array.isArray(nodes) || nodes.length === 0) return "there are no nodes";
  for (const node of nodes)
    if (typeof node.id !== "string" || typeof node.address !== "string" || !isTexts(node.metadata))
      return "a node is none";
  if (!Array.isArray(endpoints)) return "there are no endpoints";
  for (const endpoint of endpoints)
    if (typeof endpoint.name !== "string" || !isTexts(endpoint.metadata)) return "an endpoint is none";
  return undefined;
}

function isTexts(value: Readonly<Record<string, string>>): boolean {
  return typeof value === "object" && value !== null && Object.values(value).every((text) => typeof text === "string");
}
