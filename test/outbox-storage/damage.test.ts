import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadLevel } from "../../src/outbox/storage/level.ts";
import { openPart } from "../../src/outbox/storage/part.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { dataFolder, named, openStored, storageFolder } from "./support.ts";

const COUNT = 40;

/** A storage folder in which an instance that ended left messages with bodies of this size. */
async function leftBehind(bodyBytes: number): Promise<string> {
  const folder = await storageFolder();
  const { broker } = await openStored(folder);
  await broker.createQueue("t", "q");
  const body = Buffer.alloc(bodyBytes, 0x2e);
  for (let n = 0; n < COUNT; n += 1) await broker.publish("t", { body }, { id: `m${n}` });
  await broker.disconnect();
  return folder;
}

/** Opens a broker on the folder and resolves with what its queue hands out, and what was reported. */
async function readAll(folder: string, atLeast: number): Promise<{ ids: string[]; errors: string[] }> {
  const { broker, errors } = await openStored(folder);
  const ids: string[] = [];
  await broker.subscribe("t", (delivery) => void ids.push(delivery.id), { queue: "q" });
  await until(async () => ids.length >= atLeast && (await named(folder, "part-")).length === 1, {
    what: "what can be read was taken over",
    deadlineMs: 25_000,
    detail: () => `${ids.length} messages, ${errors.map(({ message }) => message).join("; ")}`,
  });
  await broker.flush();
  return { ids: ids.sort(byNumber), errors: errors.map(({ code, message }) => `${code} ${message}`) };
}

const byNumber = (left: string, right: string) => Number(left.slice(1)) - Number(right.slice(1));
const all = Array.from({ length: COUNT }, (_one, n) => `m${n}`);

async function files(folder: string, ending: string): Promise<string[]> {
  const found = (await readdir(folder)).filter((name) => name.endsWith(ending)).map((name) => join(folder, name));
  const sizes = await Promise.all(found.map(async (path) => ({ path, size: (await stat(path)).size })));
  return sizes.sort((left, right) => right.size - left.size).map(({ path }) => path);
}

async function flip(path: string, at: number): Promise<void> {
  const content = await readFile(path);
  content[at] = (content[at] as number) ^ 0x10;
  await writeFile(path, content);
}

/** Opens and closes the only part, which moves what is in its log into a table. */
async function intoTables(folder: string): Promise<void> {
  const part = await openPart(await loadLevel(), join(await dataFolder(folder), ".."), "part");
  await part?.close();
}

describe("a damaged part", () => {
  test("with a turned bit in its log: the rest goes on, the files are kept, and it is said", async () => {
    const folder = await leftBehind(100);
    const [log] = await files(await dataFolder(folder), ".log");
    await flip(log as string, 5_000);
    const { ids, errors } = await readAll(folder, 1);
    expect(ids.length).toBeLessThan(COUNT);
    expect(new Set(ids).size).toBe(ids.length);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(
      /^ERR_STORAGE The part part-[0-9a-f]+ of the storage folder is damaged \(.+\)\. \d+ message\(s\) could be read/,
    );
    const [aside] = await named(folder, "damaged-");
    expect(await readdir(join(folder, aside as string, "data"))).toContain("CURRENT");
  }, 40_000);

  test("with a turned bit in a message of its table: that message is missed, the others go on", async () => {
    const folder = await leftBehind(100);
    await intoTables(folder);
    const [table] = await files(await dataFolder(folder), ".ldb");
    const content = await readFile(table as string);
    await flip(table as string, content.indexOf("......"));
    const { ids, errors } = await readAll(folder, COUNT - 1);
    expect(ids).toHaveLength(COUNT - 1);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(`${COUNT - 1} message(s) could be read`);
  }, 40_000);

  test("with a table cut short: what the rest holds goes on, and it is said", async () => {
    const folder = await leftBehind(1_000);
    await intoTables(folder);
    const [table] = await files(await dataFolder(folder), ".ldb");
    await truncate(table as string, Math.floor((await stat(table as string)).size / 2));
    const { broker, errors } = await openStored(folder);
    await until(() => errors.length > 0, { what: "the damage was reported", deadlineMs: 25_000 });
    expect(errors.map(({ code }) => code)).toEqual(["ERR_STORAGE"]);
    expect(await named(folder, "damaged-")).toHaveLength(1);
    expect((await broker.publish("t")).state).toBe("waiting");
  }, 40_000);

  test.each(["CURRENT", "MANIFEST"])(
    "without its %s loses nothing",
    async (prefix) => {
      const folder = await leftBehind(100);
      const data = await dataFolder(folder);
      for (const name of await readdir(data)) if (name.startsWith(prefix)) await rm(join(data, name));
      const { ids, errors } = await readAll(folder, COUNT);
      expect(ids).toEqual(all);
      expect(errors).toHaveLength(1);
    },
    40_000,
  );

  test("whose log ends in mid-record, as after a power cut, is no damage", async () => {
    const folder = await leftBehind(100);
    const [log] = await files(await dataFolder(folder), ".log");
    await truncate(log as string, (await stat(log as string)).size - 3);
    const { ids, errors } = await readAll(folder, COUNT - 1);
    expect(ids).toEqual(all.slice(0, ids.length));
    expect(errors).toEqual([]);
  }, 40_000);
});

describe("a folder that is not Tidings' own", () => {
  test("is refused by name, and left as it is", async () => {
    const folder = await storageFolder();
    await mkdir(folder);
    await writeFile(join(folder, "thesis.tex"), "years of work");
    await expect(openStored(folder)).rejects.toMatchObject({
      code: "ERR_STORAGE",
      retryable: false,
      message: expect.stringContaining("thesis.tex"),
    });
    expect(await readdir(folder)).toEqual(["thesis.tex"]);
  });

  test("may be a volume's root, or one whose first user was killed", async () => {
    const folder = await storageFolder();
    await mkdir(join(folder, "lost+found"), { recursive: true });
    await writeFile(join(folder, ".tidings-storage-00ff.tmp"), "");
    expect((await (await openStored(folder)).broker.publish("t")).state).toBe("waiting");
  });

  test("of a later version is refused", async () => {
    const folder = await storageFolder();
    await mkdir(folder);
    await writeFile(join(folder, "tidings-storage.json"), '{"format":2}');
    await expect(openStored(folder)).rejects.toMatchObject({
      code: "ERR_STORAGE",
      message: expect.stringContaining("format 2"),
    });
    await writeFile(join(folder, "tidings-storage.json"), "rubbish");
    await expect(openStored(folder)).rejects.toMatchObject({ code: "ERR_STORAGE" });
  });

  test("but a file is refused", async () => {
    const folder = await storageFolder();
    await writeFile(folder, "");
    await expect(openStored(folder)).rejects.toMatchObject({ code: "ERR_STORAGE" });
  });

  test("keeps files of others that came later", async () => {
    const folder = await leftBehind(10);
    await writeFile(join(folder, "notes.txt"), "mine");
    await mkdir(join(folder, "part-of-something"));
    const { broker } = await openStored(folder);
    expect(await broker.queues.list()).toMatchObject([{ queue: "q", messages: COUNT }]);
    expect(existsSync(join(folder, "notes.txt"))).toBe(true);
  });
});

test("folders on disk are their user's alone", async () => {
  const folder = await leftBehind(10);
  for (const path of [folder, join(await dataFolder(folder), "..")])
    expect((await stat(path)).mode & 0o077, path).toBe(0);
});

test("what was left of a removal that was cut short is removed", async () => {
  const folder = await leftBehind(10);
  await mkdir(join(folder, "removed-00ff", "data"), { recursive: true });
  await openStored(folder);
  expect(await named(folder, "removed-")).toEqual([]);
});
