import { describe, expect, test } from "vitest";
import { filesUnder, type Import, importsOf, ROOT } from "./tree.ts";

/** The core files that put the rooms together. They alone know codecs, and drivers and registries by lazy import. */
const ASSEMBLY = new Set(["src/create-broker.ts", "src/schemes.ts"]);

/** What users import: it gathers the rooms, and no room imports it. */
const ROOT_MODULE = "src/index.ts";

/** Which rooms a room may import from, beside itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  internal: [],
  core: ["internal"],
  assembly: ["internal", "core", "codecs"],
  root: ["internal", "core", "assembly", "codecs", "service"],
  codecs: ["internal", "core"],
  registries: ["internal", "core"],
  outbox: ["internal", "core"],
  drivers: ["internal", "core", "codecs", "registries", "outbox"],
  service: ["internal", "core", "assembly", "codecs", "registries"],
  testing: ["internal", "core", "assembly", "codecs", "drivers/memory"],
  cli: ["internal", "core", "assembly", "codecs", "registries", "service"],
  dashboard: ["internal", "core", "assembly", "codecs", "registries", "service"],
};

/** What a room may import lazily only. */
const MAY_LOAD: Readonly<Record<string, readonly string[]>> = {
  assembly: ["drivers", "registries"],
};

/** The packages that src may use, and the rooms that may use them. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "@nats-io/transport-node": ["drivers/nats"],
  amqplib: ["drivers/rabbitmq"],
  selfsigned: ["drivers/http"],
  "classic-level": ["outbox/storage"],
  "dns-packet": ["registries/mdns"],
  "@bufbuild/protobuf": ["codecs"],
  commander: ["cli"],
  picocolors: ["cli"],
  "cli-table3": ["cli"],
  "@standard-schema/spec": ["service"],
};

function roomOf(path: string): string {
  if (ASSEMBLY.has(path)) return "assembly";
  if (path === ROOT_MODULE) return "root";
  const [, folder = "", file] = path.split("/");
  return file === undefined ? "core" : folder;
}

/** A driver's own folder: rooms within the room `drivers`, which must not know each other. */
function houseOf(path: string): string {
  return roomOf(path) === "drivers" ? path.split("/").slice(1, 3).join("/") : roomOf(path);
}

/** Why an import between two files of src is against the direction of the house, or `undefined`. */
function offence(edge: Import): string | undefined {
  const [from, to] = [roomOf(edge.from), roomOf(edge.to)];
  if (houseOf(edge.from) === houseOf(edge.to)) return undefined;
  const allowed = MAY_IMPORT[from];
  if (allowed === undefined) return `${from} is a room that this test does not know`;
  if (allowed.includes(to) || allowed.includes(houseOf(edge.to))) return undefined;
  if (MAY_LOAD[from]?.includes(to)) {
    return edge.kind === "value" ? `${from} loads ${to} lazily, with import(), never statically` : undefined;
  }
  return `${houseOf(edge.from)} must not import ${houseOf(edge.to)}`;
}

function show(edge: Import): string {
  return `${edge.from} -> ${edge.to}${edge.kind === "value" ? "" : ` (${edge.kind})`}`;
}

const sources = filesUnder("src", ".ts");
const edges = sources.flatMap(importsOf);
const inner = edges.filter((edge) => edge.to.startsWith("src/"));

describe("imports", () => {
  test("go in the direction of the house", () => {
    const offences = inner.flatMap((edge) => {
      const reason = offence(edge);
      return reason === undefined ? [] : [`${show(edge)}: ${reason}`];
    });
    expect(offences).toEqual([]);
  });

  test("name files that exist, with their ending, and stay inside src", () => {
    const known = new Set(sources);
    const lost = edges.filter((edge) => isFile(edge) && !known.has(edge.to));
    expect(lost.map(show)).toEqual([]);
  });

  test("of values have no cycle", () => {
    expect(cycles(inner.filter((edge) => edge.kind === "value"))).toEqual([]);
  });

  test("of packages are declared, and made only in the rooms that may", () => {
    const offences = edges
      .filter((edge) => !isFile(edge) && !edge.to.startsWith("node:"))
      .filter((edge) => PACKAGES[edge.to]?.some((folder) => edge.from.startsWith(`src/${folder}/`)) !== true);
    expect(offences.map(show)).toEqual([]);
  });
});

describe("the parser of imports", () => {
  test("sees every form, and no comment", () => {
    const here = importsOf("test/house/imports.test.ts");
    expect(here.map((edge) => edge.to)).toEqual(["vitest", "test/house/tree.ts"]);
    expect(sources.length, `no sources under ${ROOT}`).toBeGreaterThan(0);
    expect(edges.some((edge) => edge.kind === "type")).toBe(true);
  });
});

/** Whether an import names a file, not a package. */
function isFile(edge: Import): boolean {
  return edge.to.startsWith("src/") || edge.to.startsWith("..") || /\.[cm]?[jt]s$/.test(edge.to);
}

/** Cycles among the edges, each as the path that closes it. */
function cycles(all: readonly Import[]): string[] {
  const next = new Map<string, string[]>();
  for (const { from, to } of all) next.set(from, [...(next.get(from) ?? []), to]);
  const state = new Map<string, "open" | "done">();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === "done") return;
    if (state.get(path) === "open") {
      found.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
      return;
    }
    state.set(path, "open");
    for (const to of next.get(path) ?? []) visit(to, [...trail, path]);
    state.set(path, "done");
  };
  for (const path of next.keys()) visit(path, []);
  return found;
}
