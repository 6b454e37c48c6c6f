import { randomBytes } from "node:crypto";
import { constants, existsSync } from "node:fs";
import { type FileHandle, open, utimes } from "node:fs/promises";
import type { AtomicWriter } from "./atomic-file.ts";
import { errorCode, expecting, refusal, registryFailure } from "./failure.ts";
import { checkPrivate, type PrivateFolder } from "./folder.ts";

const NAME = "secret";
const SECRET_BYTES = 32;
const TOUCH_INTERVAL_MS = 3_600_000;

/** The secret that all processes of this user share: 32 random bytes in a file that the first of them creates. */
export class SecretFile {
  readonly #folder: PrivateFolder;
  readonly #writer: AtomicWriter;
  #touchedAt: number | undefined;
  /** What was read last. */
  #known: Uint8Array | undefined;

  constructor(folder: PrivateFolder, writer: AtomicWriter) {
    this.#folder = folder;
    this.#writer = writer;
  }

  /**
   * Reads the secret, and creates it first if there is none: with what was read before, if that is gone since. Rejects with
   * `ERR_REGISTRY` when it cannot be trusted.
   */
  async read(): Promise<Uint8Array> {
    await this.#folder.ensure();
    const path = this.#folder.file(NAME);
    try {
      let secret = await this.#open(path);
      while (secret === undefined) {
        await this.#writer.createOnce(NAME, this.#known ?? randomBytes(SECRET_BYTES));
        secret = await this.#open(path);
      }
      this.#touchedAt ??= Date.now();
      this.#known = secret;
      return secret;
    } catch (error) {
      throw registryFailure(error, `read ${path}`);
    }
  }

  /** Puts the secret back if it is gone: whoever comes next would make another, and not be let in by those that have this one. */
  async restore(): Promise<void> {
    if (this.#known !== undefined && !existsSync(this.#folder.file(NAME))) await this.read();
  }

  /**
   * Keeps systems that clean up their temporary folders from removing a secret in use: later processes would make
   * another, and not be let in by those that run. Once an hour, and only if this process has used the secret.
   */
  async touch(): Promise<void> {
    const now = Date.now();
    if (this.#touchedAt === undefined || now - this.#touchedAt < TOUCH_INTERVAL_MS) return;
    this.#touchedAt = now;
    try {
      // Gone already: the next who needs it makes a new one.
      await expecting(["ENOENT"], utimes(this.#folder.file(NAME), now / 1000, now / 1000));
    } catch (error) {
      throw registryFailure(error, "touch its secret");
    }
  }

  async #open(path: string): Promise<Uint8Array | undefined> {
    let file: FileHandle | undefined;
    try {
      file = await expecting(["ENOENT"], open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK));
    } catch (error) {
      if (errorCode(error) === "ELOOP") throw refusal(`The registry's secret ${path} is a symbolic link. Remove it.`);
      throw error;
    }
    if (file === undefined) return undefined;
    try {
      const stats = await file.stat();
      checkPrivate(stats, `The registry's secret ${path}`, `rm ${path}`);
      if (!stats.isFile() || stats.size !== SECRET_BYTES) {
        throw refusal(`The registry's secret ${path} is damaged. Remove it, and restart the processes that use it.`);
      }
      return new Uint8Array(await file.readFile());
    } finally {
      await file.close();
    }
  }
}
