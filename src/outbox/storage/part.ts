import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { BrokerError } from "../../errors.ts";
import { merged, type PartContents, readContents } from "./contents.ts";
import { describeLevelError, type LevelDatabase, type LevelStore } from "./level.ts";
import { type Lock, tryLock } from "./lock.ts";
import { copyFiles, Original } from "./original.ts";

/** What LevelDB's own log says of what it passed over while it opened a database: it reports that nowhere else. */
const PASSED_OVER = /dropping \d+ bytes|Ignoring error/;

/** What LevelDB says of files that are damaged or missing; anything else may pass, such as a full disk. */
const DAMAGE = /corruption|no such file|does not exist|not an sstable|invalid argument/i;

/** Files in which a database has records: where there are any without a table of contents, something is missing. */
const WITH_RECORDS = /\.(?:log|ldb|sst)$|^MANIFEST-/;

/** A part of the storage folder that this process has locked. */
export interface Part {
  readonly name: string;
  readonly folder: string;
  /** Open, or `undefined` where it is damaged. */
  readonly database: LevelDatabase | undefined;
  /** Where the database is. */
  readonly dataFolder: string;
  /** What could be read; `damage` says whether that can be all. */
  readonly contents: PartContents;
  /** Closes it, and gives the lock back. */
  close(): Promise<void>;
}

/**
 * Opens a part, made if it is new, and reads it. Resolves with `undefined` where another instance has it. A damaged part
 * stays as it is: what can be read is read from a copy.
 * @throws BrokerError `ERR_STORAGE` where not even the lock can be taken; what the disk reports.
 */
export async function openPart(store: LevelStore, folder: string, name: string): Promise<Part | undefined> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = await tryLock(store, join(folder, "lock"));
  if (lock === undefined) return undefined;
  try {
    return await readPart(store, folder, name, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function readPart(store: LevelStore, folder: string, name: string, lock: Lock): Promise<Part> {
  const dataFolder = join(folder, "data");
  const original = new Original(folder);
  await original.keep();
  const files = await readdir(dataFolder);
  const isTorn = !files.includes("CURRENT") && files.some((file) => WITH_RECORDS.test(file));
  const opened = isTorn ? { damage: "its file CURRENT is missing" } : await openData(store, dataFolder, original);
  const { database, contents } = opened;
  const damage = opened.damage ?? contents?.damage;
  const part = { name, folder, dataFolder };
  if (damage === undefined && database !== undefined && contents !== undefined) {
    await original.drop();
    const close = async () => {
      await database.close();
      await lock.release();
    };
    return { ...part, database, contents, close };
  }
  await database?.close();
  await original.restore();
  const salvaged = await salvage(store, dataFolder, join(folder, "salvage"));
  return {
    ...part,
    database: undefined,
    contents: { ...merged(contents, salvaged), damage: damage ?? salvaged.damage ?? "it cannot be opened" },
    close: () => lock.release(),
  };
}

interface OpenedData {
  readonly database?: LevelDatabase;
  readonly contents?: PartContents;
  readonly damage?: string;
}

async function openData(store: LevelStore, folder: string, original: Original): Promise<OpenedData> {
  const database = store.database(folder);
  try {
    await database.open({ createIfMissing: true });
  } catch (cause) {
    const reason = describeLevelError(cause);
    if (DAMAGE.test(reason)) return { damage: reason };
    await original.restore();
    throw new BrokerError("ERR_STORAGE", `The storage in ${folder} cannot be opened: ${reason}`, { cause });
  }
  const passedOver = PASSED_OVER.exec(await readFile(join(folder, "LOG"), "utf8").catch(() => ""));
  const contents = await readContents(database);
  return passedOver === null ? { database, contents } : { database, contents, damage: `LevelDB: ${passedOver[0]}` };
}

/** Reads what a repair makes readable of a copy. */
async function salvage(store: LevelStore, from: string, to: string): Promise<PartContents> {
  await rm(to, { recursive: true, force: true });
  await copyFiles(from, to);
  try {
    await store.repair(to);
    // Only now: a database opens by itself soon after it is made.
    const database = store.database(to);
    await database.open({ createIfMissing: true });
    const contents = await readContents(database);
    await database.close();
    return contents;
  } finally {
    await rm(to, { recursive: true, force: true });
  }
}
