import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { RegistryRecord } from "../records.ts";
import type { AtomicWriter } from "./atomic-file.ts";
import { coalesced } from "./coalesced.ts";
import { removeAtExit } from "./exit-cleanup.ts";
import { refusal, registryFailure } from "./failure.ts";
import type { PrivateFolder } from "./folder.ts";
import { EMPTY_FILE_BYTES, encodeRecord, joinRecords, MAX_FILE_BYTES, ownedName, recordBytes } from "./record-file.ts";

interface Encoded {
  readonly text: string;
  readonly bytes: number;
  readonly expiresAt: number;
}

/** The records that end with this process, and the one file that shows them to the others. */
export class OwnRecords {
  readonly #folder: PrivateFolder;
  readonly #writer: AtomicWriter;
  readonly #name: string;
  readonly #records = new Map<string, Encoded>();
  #bytes = EMPTY_FILE_BYTES;
  #written = true;
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

  /** Whether the others find anything of this process. */
  get shown(): boolean {
    return this.#keep !== undefined;
  }

  /** Writes the file again if somebody has removed it. Rejects with `ERR_REGISTRY`. */
  async restore(): Promise<void> {
    if (this.shown && !existsSync(this.#folder.file(this.#name))) await this.#flush();
  }

  readonly #flush: () => Promise<void> = coalesced(async () => {
    const path = this.#folder.file(this.#name);
    this.#dropExpired();
    this.#written = true;
    try {
      if (this.#records.size === 0) {
        await rm(path, { force: true });
        this.#keep?.();
        this.#keep = undefined;
        return;
      }
      await this.#folder.ensure();
      this.#keep ??= removeAtExit(path);
      await this.#writer.replace(this.#name, joinRecords([...this.#records.values()].map((record) => record.text)));
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
    this.#records.set(key, { text, bytes, expiresAt: record.expiresAt });
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
    const now = Date.now();
    for (const [key, record] of this.#records) if (record.expiresAt <= now) this.#drop(key);
  }
}
