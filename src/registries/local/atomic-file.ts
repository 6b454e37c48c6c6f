import { link, open, rename, rm } from "node:fs/promises";
import { errorCode } from "./failure.ts";
import type { PrivateFolder } from "./folder.ts";

/** Puts whole files into a folder: a reader sees the old content or the new, never a part. */
export class AtomicWriter {
  readonly #folder: PrivateFolder;
  readonly #stem: string;
  #count = 0;

  /** `stem` names the process in temporary files, so that others can clean up after it. */
  constructor(folder: PrivateFolder, stem: string) {
    this.#folder = folder;
    this.#stem = stem;
  }

  /** Creates or replaces a file. Not synced: the records do not outlive a crash of the machine. */
  async replace(name: string, content: string): Promise<void> {
    await this.#viaTemporary(content, false, (temporary) => rename(temporary, this.#folder.file(name)));
  }

  /** Creates a file and syncs it, unless there is one: then that one stays. */
  async createOnce(name: string, content: string | Uint8Array): Promise<void> {
    await this.#viaTemporary(content, true, async (temporary) => {
      try {
        await link(temporary, this.#folder.file(name));
      } catch (error) {
        // Another process was faster, and everybody must use the same one.
        if (errorCode(error) !== "EEXIST") throw error;
      }
      await rm(temporary, { force: true });
    });
  }

  async #viaTemporary(
    content: string | Uint8Array,
    sync: boolean,
    place: (path: string) => Promise<void>,
  ): Promise<void> {
    const temporary = this.#folder.file(`.${this.#stem}.${this.#count++}.tmp`);
    try {
      const file = await open(temporary, "wx", 0o600);
      try {
        await file.writeFile(content);
        if (sync) await file.sync();
      } finally {
        await file.close();
      }
      await place(temporary);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {
        // What went wrong first is what the caller must hear; the file goes when this process has ended.
      });
      throw error;
    }
  }
}
