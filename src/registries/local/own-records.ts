import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { fromWallTime, wallTime } from "../../internal/clock.ts";
import { backgroundClock } from "../background-clock.ts";
import type { RegistryRecord } from "../records.ts";
import type { AtomicWriter } from "./atomic-file.ts";
import { coalesced } from "./coalesced.ts";
import { removeAtExit } from "./exit-cleanup.ts";
import { refusal, registryFailure } from "./failure.ts";
import type { PrivateFolder } from "./folder.ts";
import { EMPTY_FILE_BYTES, encodeRecord, joinRecords, MAX_FILE_BYTES, ownedName, recordBytes } from "./record-file.ts";

/** How far the system's time may be from what it was expected to be before records are written anew, in milliseconds. */
const MAX_DRIFT_MS = 1_000;

interface Encoded {
  readonly record: RegistryRecord;
  readonly text: string;
  readonly bytes: number;
  /** When it expires, by the clock that does not jump. */
  readonly endsAt: number;
}

/** The records that end with this process, and the one file that shows them to the others. */
export class OwnRecords {
  readonly #folder: PrivateFolder;
  readonly #writer: AtomicWriter;
  readonly #name: string;
  readonly #records = new Map<string, Encoded>();
  #bytes = EMPTY_FILE_BYTES;
  #written = true;
  #shown = false;
  #keep: (() => void) | undefined;

  constructor(folder: PrivateFolder, writer: AtomicWriter, stem: string) {
    this.#folder = folder;
    this.#writer = writer;
    this.#name = ownedName(stem);
  }

  /**
   * Adds or refreshes records; resolves when the file has them. Rejects with `ERR_REGISTRY`: not retryable when the file
   * would become too large; after any failure some of the records may still appear with a later write.
   */
  async put(records: ReadonlyMap<string, RegistryRecord>): Promise<void> {
    this.#written = false;
    for (const [key, record] of records) this.#add(key, record);
    await this.#flush();
  }

  /** Removes records; resolves when the file does not have them. */
  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#drop(key);
    if (!this.#written) await this.#flush();
  }

  /** Whether there is a file that shows something of this process to the others, or should be. */
  get shown(): boolean {
    return this.#shown && this.#records.size > 0;
  }

  /** Whether that file is there. */
  get inPlace(): boolean {
    return existsSync(this.#folder.file(this.#name));
  }

  /**
   * Writes the file again if somebody has removed it, or has set the system's time, or the machine slept: what it says of the time is
   * wrong then. Rejects with `ERR_REGISTRY`.
   */
  async restore(): Promise<void> {
    if (!this.shown) return;
    const isOff = [...this.#records.values()].some(({ record, endsAt }) => {
      return Math.abs(wallTime(backgroundClock, endsAt) - record.expiresAt) > MAX_DRIFT_MS;
    });
    if (isOff)
      for (const [key, { record, endsAt }] of [...this.#records]) this.#set(key, inTime(record, endsAt), endsAt);
    if (isOff || !this.inPlace) await this.#flush();
  }

  readonly #flush: () => Promise<void> = coalesced(async () => {
    const path = this.#folder.file(this.#name);
    this.#dropExpired();
    this.#written = true;
    try {
      if (this.#records.size === 0) {
        this.#shown = false;
        await rm(path, { force: true });
        this.#keep?.();
        this.#keep = undefined;
        return;
      }
      await this.#folder.ensure();
      this.#keep ??= removeAtExit(path);
      await this.#writer.replace(this.#name, joinRecords([...this.#records.values()].map((record) => record.text)));
      this.#shown = true;
    } catch (error) {
      this.#written = false;
      throw registryFailure(error, `write ${path}`);
    }
  });

  #add(key: string, record: RegistryRecord): void {
    const text = encodeRecord(record);
    const bytes = recordBytes(text);
    if (this.#bytes + bytes > MAX_FILE_BYTES) this.#dropExpired();
    this.#drop(key);
    if (this.#bytes + bytes > MAX_FILE_BYTES) {
      throw refusal(`The local registry holds at most ${MAX_FILE_BYTES} bytes of records for one process.`);
    }
    this.#set(key, record, fromWallTime(backgroundClock, record.expiresAt), text);
  }

  #set(key: string, record: RegistryRecord, endsAt: number, text: string = encodeRecord(record)): void {
    this.#drop(key);
    const bytes = recordBytes(text);
    this.#records.set(key, { record, text, bytes, endsAt });
    this.#bytes += bytes;
  }

  #drop(key: string): void {
    const record = this.#records.get(key);
    if (record === undefined) return;
    this.#records.delete(key);
    this.#bytes -= record.bytes;
    this.#written = false;
  }

  /** Keeps expired records from piling up in the file. */
  #dropExpired(): void {
    const now = backgroundClock.now();
    for (const [key, { endsAt }] of this.#records) if (endsAt <= now) this.#drop(key);
  }
}

/** The same record by the system's time as it is now. */
function inTime(record: RegistryRecord, endsAt: number): RegistryRecord {
  return { ...record, registeredAt: Date.now(), expiresAt: wallTime(backgroundClock, endsAt) };
}
