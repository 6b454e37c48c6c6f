import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import type { RegistryRecord } from "../records.ts";
import { errorCode, expecting } from "./failure.ts";
import { decodeRecords, MAX_FILE_BYTES } from "./record-file.ts";

/**
 * How long after its last change a file's times tell every further change, in milliseconds: file systems stamp in steps of up to 2 s,
 * and two files written within one step may look the same.
 */
const SETTLED_AFTER_MS = 2_000;

/** What opening gives for a name that is gone, a link, a socket, or a file that somebody else left here. */
const NOT_OURS = new Set(["ENOENT", "ELOOP", "ENXIO", "EACCES", "EPERM"]);

/** What was read from one file. */
export interface RecordFile {
  /** `undefined` when the file is not one of this registry's, or too large. */
  readonly records: ReadonlyMap<string, RegistryRecord> | undefined;
  /** When it was last changed, in milliseconds since the epoch. */
  readonly changedAt: number;
}

interface Known extends RecordFile {
  readonly signature: string;
  readonly settled: boolean;
}

/** Reads record files, and parses again only those that have changed. */
export class RecordFiles {
  readonly #known = new Map<string, Known>();

  /** The content of a file, `undefined` when there is none to read. Rejects with system errors. */
  async read(path: string): Promise<RecordFile | undefined> {
    const stats = await expecting(["ENOENT"], lstat(path, { bigint: true }));
    if (stats === undefined) {
      this.#known.delete(path);
      return undefined;
    }
    const known = this.#known.get(path);
    if (known?.settled && known.signature === signatureOf(stats)) return known;
    const file = stats.isFile() && stats.size <= MAX_FILE_BYTES ? await readFresh(path) : unreadable(stats);
    if (file === undefined) this.#known.delete(path);
    else this.#known.set(path, file);
    return file;
  }

  /** Forgets the files that are not in `paths`. */
  retain(paths: ReadonlySet<string>): void {
    for (const path of this.#known.keys()) if (!paths.has(path)) this.#known.delete(path);
  }
}

async function readFresh(path: string): Promise<Known | undefined> {
  let file: FileHandle;
  try {
    // Between the look and this the name may have come to stand for a link, or for a pipe that would block.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (NOT_OURS.has(errorCode(error) ?? "")) return undefined;
    throw error;
  }
  try {
    const stats = await file.stat({ bigint: true });
    if (!stats.isFile() || stats.size > MAX_FILE_BYTES) return unreadable(stats);
    const records = decodeRecords(await file.readFile("utf8"));
    return { ...unreadable(stats), records };
  } finally {
    await file.close();
  }
}

function unreadable(stats: BigIntStats): Known {
  const changedAt = Number(stats.mtimeMs);
  const settled = changedAt + SETTLED_AFTER_MS < Date.now();
  return { records: undefined, changedAt, signature: signatureOf(stats), settled };
}

function signatureOf(stats: BigIntStats): string {
  return `${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}
