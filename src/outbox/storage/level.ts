import { describeError } from "../../errors.ts";
import { loadOptional } from "../../optional-package.ts";

/** The package that stores, an optional peer. */
const PACKAGE = { name: "classic-level", range: "^3.0.0", neededBy: "The option storage" };

/** The size that a database's log grows to before it becomes a table, in bytes. Twice that is held in memory at most. */
const WRITE_BUFFER_BYTES = 4 * 1024 * 1024;

/** How many records are read at a time. */
const READ_RECORDS = 1_000;

/** What is used of a batch. */
interface LevelBatch {
  put(key: Uint8Array, value: Uint8Array): LevelBatch;
  del(key: Uint8Array): LevelBatch;
  write(options: { sync: boolean }): Promise<void>;
}

/** What is used of a database. */
export interface LevelDatabase {
  open(options: { createIfMissing: boolean }): Promise<void>;
  close(): Promise<void>;
  batch(): LevelBatch;
  iterator(): { nextv(size: number): Promise<[Uint8Array, Uint8Array][]>; close(): Promise<void> };
}

/** The store: LevelDB, in the package classic-level. */
export interface LevelStore {
  /** A database in this folder, which is to be opened at once: otherwise it opens by itself. */
  database(folder: string): LevelDatabase;
  /** Makes what can still be read of a damaged database readable. */
  repair(folder: string): Promise<void>;
}

interface LevelModule {
  readonly ClassicLevel: {
    new (folder: string, options: object): LevelDatabase;
    repair(folder: string): Promise<void>;
  };
}

/**
 * Loads the package, which only those need who store messages on disk.
 * @throws BrokerError `ERR_MISSING_DEPENDENCY`
 */
export async function loadLevel(load: () => Promise<unknown> = () => import("classic-level")): Promise<LevelStore> {
  const { ClassicLevel } = (await loadOptional(PACKAGE, load)) as LevelModule;
  const options = {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
    // Most of what is stored is settled before it leaves the log: compressing it would be for nothing.
    compression: false,
    writeBufferSize: WRITE_BUFFER_BYTES,
  };
  return {
    database: (folder) => new ClassicLevel(folder, options),
    repair: (folder) => ClassicLevel.repair(folder),
  };
}

/** Reads every record of an open database, in the order of keys. */
export async function* readRecords(database: LevelDatabase): AsyncGenerator<readonly [Uint8Array, Uint8Array]> {
  const iterator = database.iterator();
  try {
    for (;;) {
      const records = await iterator.nextv(READ_RECORDS);
      if (records.length === 0) return;
      yield* records;
    }
  } finally {
    await iterator.close();
  }
}

/** Whether another process, or another broker of this one, has the database open. */
export function isLocked(error: unknown): boolean {
  return causes(error).some(({ code }) => code === "LEVEL_LOCKED");
}

/** Whether a write failed because the disk has no room: it may succeed later. */
export function isDiskFull(error: unknown): boolean {
  return causes(error).some(({ message }) => /no space left|quota exceeded|file too large/i.test(String(message)));
}

/** What went wrong, in words: the package puts the reason into the error's cause. */
export function describeLevelError(error: unknown): string {
  const all = causes(error);
  return describeError(all[all.length - 1] ?? error);
}

function causes(error: unknown): { code?: unknown; message?: unknown }[] {
  const all: { code?: unknown; message?: unknown }[] = [];
  for (let cause = error; cause instanceof Error && all.length < 10; cause = cause.cause) all.push(cause);
  return all;
}
