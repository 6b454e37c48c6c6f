import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { mkdir, readdir, readFile, symlink, truncate, unlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { copyService } from "../../../src/registries/copy-service.ts";
import { local } from "../../../src/registries/local/index.ts";
import type { Registry, Service } from "../../../src/registry.ts";
import { ids, node, service, temporaryFolder } from "./helpers.ts";

const BROKEN = "standing-00000000000000000000000000000000.json";

let folder: string;
let registry: Registry;
let content: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  registry = local({ folder });
  const endpoint = { name: "e", request: { name: "r", type: "t", values: [] }, response: null, metadata: { k: "v" } };
  await registry.register(
    service("good", [], { endpoints: [endpoint], nodes: [node("a", { key: "value" }), node("b")] }),
  );
  const [name = ""] = await readdir(folder);
  content = await readFile(join(folder, name), "utf8");
});

async function put(text: string | Uint8Array, name: string = BROKEN): Promise<void> {
  await writeFile(join(folder, name), text, { mode: 0o600 });
}

describe("a file is ignored", () => {
  test.each([
    ["empty", ""],
    ["not JSON", "not JSON"],
    ["null", "null"],
    ["a number", "7"],
    ["an array", "[]"],
    ["bytes", "\u0000\u0001\ufffd"],
    ["of another schema", '{"schema":"tidings-registry-2","records":[]}'],
    ["without records", '{"schema":"tidings-registry-1"}'],
    ["with other records", '{"schema":"tidings-registry-1","records":[null,7,[],{},{"service":{}}]}'],
    ["deeply nested", "[".repeat(100_000)],
  ])("when it is %s", async (_kind, text) => {
    await put(text);
    await put(text, "1-1-000000000000-0000000000000000.json");
    await put(text, "anything.json");
    expect(await registry.listServices()).toHaveLength(1);
    expect(await ids(registry, "good")).toEqual(["a", "b"]);
  });

  test("when it is larger than 8 MiB", async () => {
    await put(content.replaceAll("good", "large"));
    expect(await ids(registry, "large")).toEqual(["a", "b"]);
    await truncate(join(folder, BROKEN), 8 * 1024 * 1024 + 1);
    expect(await ids(registry, "large")).toEqual([]);
  });

  test("when it is truncated anywhere", async () => {
    for (let length = 0; length < content.trimEnd().length; length += 7) {
      await put(content.replaceAll("good", "short").slice(0, length));
      expect(await ids(registry, "short")).toEqual([]);
    }
  });

  test("when it is a link, a pipe or a folder", async () => {
    await put(content.replaceAll("good", "linked"), "elsewhere");
    await symlink(join(folder, "elsewhere"), join(folder, BROKEN));
    execFileSync("mkfifo", [join(folder, "1-1-000000000000-0000000000000000.json")]);
    await mkdir(join(folder, "folder.json"));
    expect(await ids(registry, "linked")).toEqual([]);
    expect(await ids(registry, "good")).toEqual(["a", "b"]);
  });

  test("when its name is foreign", async () => {
    for (const name of ["notes.txt", ".hidden", ".x.1.tmp", "standing-1.json.bak"]) {
      await put(content.replaceAll("good", "foreign"), name);
    }
    expect(await ids(registry, "foreign")).toEqual([]);
    expect(await readdir(folder)).toHaveLength(5);
  });
});

test("a record that is malformed does not cost a file its others", async () => {
  const file = JSON.parse(content) as { records: { service: { name: string; nodes: unknown[] } }[] };
  for (const record of file.records) record.service.name = "mixed";
  const [first] = file.records;
  if (first !== undefined) first.service.nodes = [{ id: "a" }];
  await put(JSON.stringify(file));
  expect(await ids(registry, "mixed")).toEqual(["b"]);
});

test("files that change faster than the file system's clock ticks are read again", async () => {
  for (let index = 100; index < 300; index++) {
    writeFileSync(join(folder, BROKEN), content.replaceAll("good", `fast-${index}`), { mode: 0o600 });
    expect(await ids(registry, `fast-${index}`)).toEqual(["a", "b"]);
  }
});

test("a file that nobody understands goes when it is a day old", async () => {
  await put("from the future");
  await registry.listServices();
  expect(await readdir(folder)).toContain(BROKEN);
  const past = Date.now() / 1000 - 90_000;
  await utimes(join(folder, BROKEN), past, past);
  await registry.listServices();
  expect(await readdir(folder)).not.toContain(BROKEN);
});

test("whatever becomes of a file, look-ups never fail and never give a broken record", async () => {
  const byte = fc.record({ at: fc.nat(), value: fc.integer({ min: 0, max: 255 }) });
  const bytes = fc
    .array(byte, { minLength: 1, maxLength: 8 })
    .map((changes) => (original: string): string | Uint8Array => {
      const mutated = Buffer.from(original);
      for (const { at, value } of changes) mutated[at % mutated.length] = value;
      return mutated;
    });
  const slice = fc
    .tuple(fc.nat(), fc.nat(), fc.string())
    .map(([from, length, insert]) => (original: string): string => {
      const start = from % original.length;
      return original.slice(0, start) + insert + original.slice(start + (length % 40));
    });
  const value = fc.tuple(fc.nat(), fc.jsonValue()).map(([at, replacement]) => (original: string): string => {
    const places = [...original.matchAll(/"[^"]*"(?!:)|null|\d+/g)];
    const place = places[at % places.length];
    if (place === undefined) return original;
    const end = place.index + place[0].length;
    return original.slice(0, place.index) + JSON.stringify(replacement) + original.slice(end);
  });
  const mutation = fc.oneof(bytes, slice, value);

  await fc.assert(
    fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), async (mutations) => {
      let mutated: string | Uint8Array = content.replaceAll("good", "bad");
      for (const mutate of mutations) mutated = mutate(Buffer.from(mutated).toString("utf8"));
      await put(mutated);
      const found: Service[] = await registry.listServices();
      for (const entry of found) {
        expect(copyService(entry)).toEqual(entry);
        expect(entry.nodes.length).toBeGreaterThan(0);
      }
      expect(await ids(registry, "good")).toEqual(expect.arrayContaining(["a", "b"]));
      await unlink(join(folder, BROKEN)).catch(() => {});
    }),
    { numRuns: 200 },
  );
});
