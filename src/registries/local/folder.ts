import { accessSync, constants, type Stats, statSync } from "node:fs";
import { lstat, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { expecting, refusal, registryFailure } from "./failure.ts";

const OPEN_TO_OTHERS = 0o077;
const HOW_TO_MOVE = "or name another folder with TIDINGS_LOCAL_REGISTRY_FOLDER";

/**
 * The folder that all processes of this user meet in: `TIDINGS_LOCAL_REGISTRY_FOLDER`, else `tidings` in
 * `XDG_RUNTIME_DIR` where that is a folder of this user, else `tidings-<uid>` in the system's folder for temporary files.
 */
export function defaultFolder(): string {
  const named = process.env.TIDINGS_LOCAL_REGISTRY_FOLDER;
  if (named !== undefined && named !== "") return named;
  const runtime = process.env.XDG_RUNTIME_DIR;
  if (runtime !== undefined && isUsable(runtime)) return join(runtime, "tidings");
  return join(tmpdir(), `tidings-${process.getuid?.() ?? "user"}`);
}

function isUsable(runtime: string): boolean {
  if (!isAbsolute(runtime)) return false;
  try {
    accessSync(runtime, constants.W_OK | constants.X_OK);
    const stats = statSync(runtime);
    return stats.isDirectory() && stats.uid === process.getuid?.();
  } catch {
    // Left over from another session, or another user's under `su`: the temporary folder does as well.
    return false;
  }
}

/** A folder that must be this user's alone. */
export class PrivateFolder {
  /** Absolute, without a trailing slash: with one, a symbolic link would pass for its target. */
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  /** The path of a file in the folder. */
  file(name: string): string {
    return join(this.path, name);
  }

  /** Creates the folder if it is missing. Rejects with `ERR_REGISTRY` when it cannot be created or trusted. */
  async ensure(): Promise<void> {
    if (await this.exists()) return;
    try {
      await mkdir(this.path, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw registryFailure(error, `create its folder ${this.path}`);
    }
    // Somebody else may have been faster, so what is there now is checked like any other.
    await this.exists();
  }

  /** Whether the folder is there. Rejects with `ERR_REGISTRY` (not retryable) when it is, but cannot be trusted. */
  async exists(): Promise<boolean> {
    let stats: Stats | undefined;
    try {
      stats = await expecting(["ENOENT"], lstat(this.path));
    } catch (error) {
      throw registryFailure(error, `look at its folder ${this.path}`);
    }
    if (stats === undefined) return false;
    if (stats.isSymbolicLink()) {
      throw refusal(`The registry folder ${this.path} is a symbolic link. Remove the link, ${HOW_TO_MOVE}.`);
    }
    if (!stats.isDirectory())
      throw refusal(`The registry folder ${this.path} is not a folder. Remove it, ${HOW_TO_MOVE}.`);
    checkPrivate(stats, `The registry folder ${this.path}`, `chmod 700 ${this.path}`);
    return true;
  }
}

/** Throws `ERR_REGISTRY` (not retryable) unless this user owns the file and nobody else may touch it. */
export function checkPrivate(stats: Stats, what: string, remedy: string): void {
  const user = process.getuid?.();
  if (user === undefined) {
    throw refusal("The local registry works on Linux and macOS only: choose another registry on this system.");
  }
  if (stats.uid !== user) {
    throw refusal(
      `${what} belongs to user ${stats.uid}, not to user ${user} who runs this process. Remove it, ${HOW_TO_MOVE}.`,
    );
  }
  if ((stats.mode & OPEN_TO_OTHERS) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, "0");
    throw refusal(`${what} is open to other users (mode ${mode}). Run \`${remedy}\`, ${HOW_TO_MOVE}.`);
  }
}
