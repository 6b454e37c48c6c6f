import { existsSync } from "node:fs";
import { copyFile, link, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** LevelDB's lock says nothing once it is given back, and must not be shared. */
const LOCK = "LOCK";

/**
 * Keeps the files of a database as they are while it is opened and judged: LevelDB replays its log as it opens, passes over
 * what it cannot read, and removes the log. It never writes into a file that is there, so that a second name for each is
 * enough. Everything happens in one step each, so that a crash leaves the files that were, or those that were judged sound.
 */
export class Original {
  readonly #data: string;
  readonly #kept: string;
  readonly #making: string;
  readonly #leaving: string;

  /** @param folder where the database's folder `data` is. */
  constructor(folder: string) {
    this.#data = join(folder, "data");
    this.#kept = join(folder, "original");
    this.#making = join(folder, "original-making");
    this.#leaving = join(folder, "original-leaving");
  }

  /** Keeps the files; those that were kept before a crash are back first. */
  async keep(): Promise<void> {
    for (const path of [this.#making, this.#leaving]) await rm(path, { recursive: true, force: true });
    await this.restore();
    await mkdir(this.#data, { recursive: true, mode: 0o700 });
    await copyFiles(this.#data, this.#making, linkOrCopy);
    await rename(this.#making, this.#kept);
  }

  /** The files are as they were when they were kept. */
  async restore(): Promise<void> {
    if (!existsSync(this.#kept)) return;
    await rm(this.#data, { recursive: true, force: true });
    await rename(this.#kept, this.#data);
  }

  /** The files are no longer kept: the database is sound. */
  async drop(): Promise<void> {
    await rename(this.#kept, this.#leaving);
    await rm(this.#leaving, { recursive: true, force: true });
  }
}

/** Copies the files of a database that is not open. */
export async function copyFiles(
  from: string,
  to: string,
  copy: (from: string, to: string) => Promise<void> = copyFile,
): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  for (const entry of await readdir(from, { withFileTypes: true }))
    if (entry.isFile() && entry.name !== LOCK) await copy(join(from, entry.name), join(to, entry.name));
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch {
    // A file system without second names; where it is something else, copying fails with the reason.
    await copyFile(from, to);
  }
}
