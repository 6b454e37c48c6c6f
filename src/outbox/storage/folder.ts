import { randomBytes } from "node:crypto";
import { access, mkdir, open, readdir, readFile, realpath, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { BrokerError, describeError } from "../../errors.ts";

/** The file that says what the folder is. */
const MARKER = "tidings-storage.json";

/** The version of what lies in it. */
const FORMAT = 1;

/** What an empty folder may hold all the same: a volume's own, and what a process left that was killed as it began. */
const HARMLESS = /^(?:lost\+found|\.tidings-storage-[0-9a-f]+\.tmp)$/;

/** How many strange files an error names. */
const MAX_NAMED = 3;

/**
 * The storage folder: a marker, a lock for whoever goes through the parts, and one folder per part. `part-*` is a part,
 * `removed-*` one that is being removed, `damaged-*` one whose messages go on elsewhere as far as they could be read.
 */
export class StorageFolder {
  #path: string;

  constructor(path: string) {
    this.#path = resolve(path);
  }

  /** Absolute; once it is prepared, without symbolic links: locks are known by their paths. */
  get path(): string {
    return this.#path;
  }

  /** The folder of the lock of whoever goes through the parts. */
  get lock(): string {
    return join(this.path, "lock");
  }

  /** The folder of a part. */
  part(name: string): string {
    return join(this.path, name);
  }

  /** A name for a new part. */
  newName(): string {
    return `part-${randomBytes(8).toString("hex")}`;
  }

  /**
   * Creates the folder if it is missing, and makes sure that it is one of Tidings.
   * @throws BrokerError `ERR_STORAGE`
   */
  async prepare(): Promise<void> {
    try {
      await mkdir(this.path, { recursive: true, mode: 0o700 });
      this.#path = await realpath(this.path);
      const names = await readdir(this.path);
      if (names.includes(MARKER)) return this.#checkMarker(await readFile(join(this.path, MARKER), "utf8"));
      const strange = names.filter((name) => !HARMLESS.test(name));
      if (strange.length > 0) throw this.#foreign(strange);
      await this.#writeMarker();
    } catch (cause) {
      if (cause instanceof BrokerError) throw cause;
      const message = `The storage folder ${this.path} cannot be used: ${describeError(cause)}`;
      throw new BrokerError("ERR_STORAGE", message, { cause });
    }
  }

  /** The names of all parts, sorted. One without data holds nothing: it is just being made, and maybe not locked yet. */
  async parts(): Promise<string[]> {
    const names = (await readdir(this.path)).filter((name) => name.startsWith("part-")).sort();
    const isMade = await Promise.all(names.map((name) => exists(join(this.path, name, "data"))));
    return names.filter((_name, index) => isMade[index]);
  }

  /** Whether there is no part, and nothing left of one. */
  async isEmpty(): Promise<boolean> {
    return !(await readdir(this.path)).some((name) => /^(?:part|removed)-/.test(name));
  }

  /** Removes a part: in one step, so that a crash leaves it whole or gone. Its lock must be held. */
  async remove(name: string): Promise<void> {
    const removed = this.part(name.replace("part-", "removed-"));
    await rename(this.part(name), removed);
    await rm(removed, { recursive: true, force: true });
  }

  /** Sets a damaged part aside; resolves with where it is now. Its lock must be held. */
  async setAside(name: string): Promise<string> {
    const aside = this.part(name.replace("part-", "damaged-"));
    await rename(this.part(name), aside);
    return aside;
  }

  /** Removes what is left of parts whose removal was cut short. */
  async tidy(): Promise<void> {
    const left = (await readdir(this.path)).filter((name) => name.startsWith("removed-"));
    for (const name of left) await rm(this.part(name), { recursive: true, force: true });
  }

  #checkMarker(text: string): void {
    let format: unknown;
    try {
      format = JSON.parse(text).format;
    } catch {
      // Not JSON: told below as a marker without a format.
      format = undefined;
    }
    if (format === FORMAT) return;
    const found = typeof format === "number" ? `has format ${format}` : "does not say its format";
    throw new BrokerError(
      "ERR_STORAGE",
      `The file ${MARKER} in the storage folder ${this.path} ${found}; this version reads format ${FORMAT}. Use the version of Tidings that made it, or another folder.`,
    );
  }

  #foreign(names: readonly string[]): BrokerError {
    const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : "";
    return new BrokerError(
      "ERR_STORAGE",
      `The storage folder ${this.path} holds other things (${names.slice(0, MAX_NAMED).join(", ")}${more}) and no ${MARKER}. Name an empty folder, or one that does not exist yet.`,
    );
  }

  async #writeMarker(): Promise<void> {
    const temporary = join(this.path, `.tidings-storage-${randomBytes(8).toString("hex")}.tmp`);
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(`${JSON.stringify({ format: FORMAT })}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(this.path, MARKER));
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
