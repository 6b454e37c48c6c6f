import { lstatSync, rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename } from "node:path";
import type { RegistryRecord } from "../records.ts";
import { expecting, registryFailure } from "./failure.ts";
import type { PrivateFolder } from "./folder.ts";
import { hasEnded, type Owner, parseOwner } from "./owner.ts";
import { fileKind, standingName } from "./record-file.ts";
import { type RecordFile, RecordFiles } from "./record-files.ts";

/** How many files are open at once. */
const FILES_AT_ONCE = 16;
/** How long after their expiry records stay on disk when nobody can tell whether their process lives. */
const EXPIRED_GRACE_MS = 60_000;
/** How old a file that is not understood must be to be removed: a newer version of this package may have written it. */
const FOREIGN_GRACE_MS = 86_400_000;

/** A file that is read. */
interface ClaimedFile {
  readonly path: string;
  /** The process whose file it is by its name; `undefined` where that tells none. */
  readonly owner: Owner | undefined;
  readonly isStanding: boolean;
}

/** Standing records, by the names of their files. */
export type StandingFiles = ReadonlyMap<string, readonly RegistryRecord[]>;

/** Reads the folder, and cleans it of what ended processes left. */
export class Scanner {
  readonly #folder: PrivateFolder;
  readonly #self: Owner;
  readonly #files = new RecordFiles();
  #owners: Owner[] = [];
  #standing: StandingFiles = new Map();
  #nextExpiry = Number.POSITIVE_INFINITY;

  constructor(folder: PrivateFolder, self: Owner) {
    this.#folder = folder;
    this.#self = self;
  }

  /** The standing records that the last scan of a folder found, which no process puts back by itself. */
  get standing(): StandingFiles {
    return this.#standing;
  }

  /** Standing records that are to be missed no more: they are being taken back. */
  forget(keys: readonly string[]): void {
    const gone = new Set(keys.map(standingName));
    this.#standing = new Map([...this.#standing].filter(([name]) => !gone.has(name)));
  }

  /** Whether the last scan lacks a file of an earlier one with standing records that have not expired. */
  misses(earlier: StandingFiles): boolean {
    const now = Date.now();
    return [...earlier].some(
      ([name, records]) => !this.#standing.has(name) && records.some(({ expiresAt }) => expiresAt > now),
    );
  }

  /** The live records of all processes. Rejects with `ERR_REGISTRY` when the folder cannot be read or trusted. */
  async scan(): Promise<RegistryRecord[]> {
    try {
      const names = (await this.#folder.exists()) ? await expecting(["ENOENT"], readdir(this.#folder.path)) : undefined;
      return names === undefined ? this.#finish([], [], new Set()) : await this.#read(names);
    } catch (error) {
      throw registryFailure(error, `read its folder ${this.#folder.path}`);
    }
  }

  /** Whether the last scan is out of date by itself: a process has ended since, or a record has expired. */
  isStale(): boolean {
    return this.#nextExpiry <= Date.now() || this.#owners.some((owner) => hasEnded(owner, this.#self));
  }

  async #read(names: readonly string[]): Promise<RegistryRecord[]> {
    const files = this.#claim(names);
    const records: RegistryRecord[] = [];
    const standing = new Map<string, readonly RegistryRecord[]>();
    for (let start = 0; start < files.length; start += FILES_AT_ONCE) {
      const batch = files.slice(start, start + FILES_AT_ONCE);
      const contents = await Promise.all(batch.map(({ path }) => this.#files.read(path)));
      for (const [index, content] of contents.entries()) {
        const file = batch[index];
        if (file === undefined || content === undefined) continue;
        const found = [...(content.records?.values() ?? [])];
        for (const record of found) records.push(record);
        if (file.isStanding) standing.set(basename(file.path), found);
        this.#removeOutdated(file.path, file.owner, content);
      }
    }
    this.#standing = standing;
    const owners = files.flatMap(({ owner }) => owner ?? []);
    return this.#finish(records, owners, new Set(files.map(({ path }) => path)));
  }

  /** The record files whose process may be alive; those of ended processes are removed. */
  #claim(names: readonly string[]): ClaimedFile[] {
    const files: ClaimedFile[] = [];
    for (const name of names) {
      const kind = fileKind(name);
      if (kind === undefined) continue;
      const path = this.#folder.file(name);
      const isStanding = kind.kind === "standing";
      const owner = isStanding ? undefined : parseOwner(kind.stem);
      if (owner !== undefined && hasEnded(owner, this.#self)) remove(path);
      else if (kind.kind !== "temporary") files.push({ path, owner, isStanding });
    }
    return files;
  }

  #finish(records: RegistryRecord[], owners: Owner[], paths: ReadonlySet<string>): RegistryRecord[] {
    this.#files.retain(paths);
    this.#owners = owners;
    const now = Date.now();
    const live = records.filter((record) => record.expiresAt > now);
    this.#nextExpiry = live.reduce((next, record) => Math.min(next, record.expiresAt), Number.POSITIVE_INFINITY);
    return live;
  }

  /** Removes what nothing but the time can end: standing records, files of other namespaces, and foreign files. */
  #removeOutdated(path: string, owner: Owner | undefined, file: RecordFile): void {
    // The process is alive, and its file its own affair.
    if (owner?.hostId === this.#self.hostId) return;
    let outdatedAt = file.changedAt + FOREIGN_GRACE_MS;
    if (file.records !== undefined) {
      outdatedAt = file.changedAt + EXPIRED_GRACE_MS;
      for (const { expiresAt } of file.records.values())
        outdatedAt = Math.max(outdatedAt, expiresAt + EXPIRED_GRACE_MS);
    }
    if (outdatedAt > Date.now()) return;
    // Somebody may have refreshed the record since it was read; nothing may come between this look and the removal.
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats !== undefined && stats.mtimeMs <= file.changedAt + 1) remove(path);
  }
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It is ignored all the same, and the next scan tries again.
  }
}
