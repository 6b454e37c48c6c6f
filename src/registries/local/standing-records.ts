import { rm } from "node:fs/promises";
import type { RegistryRecord } from "../records.ts";
import type { AtomicWriter } from "./atomic-file.ts";
import { refusal, registryFailure } from "./failure.ts";
import type { PrivateFolder } from "./folder.ts";
import {
  EMPTY_FILE_BYTES,
  encodeRecord,
  joinRecords,
  MAX_FILE_BYTES,
  recordBytes,
  standingName,
} from "./record-file.ts";
import type { StandingFiles } from "./scanner.ts";

/** The records that no process owns: one file each, which every process may replace or remove. */
export class StandingRecords {
  readonly #folder: PrivateFolder;
  readonly #writer: AtomicWriter;

  constructor(folder: PrivateFolder, writer: AtomicWriter) {
    this.#folder = folder;
    this.#writer = writer;
  }

  /** Adds or refreshes records; resolves when their files are in place. Rejects with `ERR_REGISTRY`. */
  async put(records: ReadonlyMap<string, RegistryRecord>): Promise<void> {
    await this.#folder.ensure();
    await Promise.all([...records].map(([key, record]) => this.#write(key, encodeRecord(record))));
  }

  /** Puts back the files that are not there and have records that hold; resolves when they are. Rejects with `ERR_REGISTRY`. */
  async restore(known: StandingFiles): Promise<void> {
    const now = Date.now();
    const files = [...known].filter(([, records]) => records.some(({ expiresAt }) => expiresAt > now));
    if (files.length === 0) return;
    await this.#folder.ensure();
    try {
      await Promise.all(
        files.map(([name, records]) => this.#writer.createOnce(name, joinRecords(records.map(encodeRecord)))),
      );
    } catch (error) {
      throw registryFailure(error, "put a standing record back");
    }
  }

  /** Removes records; unknown ones are ignored. Rejects with `ERR_REGISTRY`. */
  async remove(keys: readonly string[]): Promise<void> {
    if (!(await this.#folder.exists())) return;
    try {
      await Promise.all(keys.map((key) => rm(this.#folder.file(standingName(key)), { force: true })));
    } catch (error) {
      throw registryFailure(error, "remove a standing record");
    }
  }

  async #write(key: string, encoded: string): Promise<void> {
    if (EMPTY_FILE_BYTES + recordBytes(encoded) > MAX_FILE_BYTES) {
      throw refusal(`A standing record of the local registry has at most ${MAX_FILE_BYTES} bytes.`);
    }
    try {
      await this.#writer.replace(standingName(key), joinRecords([encoded]));
    } catch (error) {
      throw registryFailure(error, "write a standing record");
    }
  }
}
