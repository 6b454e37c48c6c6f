import { BrokerError } from "../../errors.ts";
import type { Clock } from "../../internal/clock.ts";
import { delay } from "../../internal/wait.ts";
import { describeLevelError, isLocked, type LevelStore } from "./level.ts";

/** How often a lock is tried that somebody else has, in milliseconds. */
const RETRY_MS = 25;

/** A lock that is held. */
export interface Lock {
  release(): Promise<void>;
}

/**
 * The folders of the locks that this process holds, for all copies of this module. The system's locks are a process's: were
 * LevelDB asked once more for one that it has, it would close a file for that, and with it lose the lock.
 */
const HELD: unique symbol = Symbol.for("tidings.storage.held-locks");
const shared = globalThis as { [HELD]?: Set<string> };
shared[HELD] ??= new Set();
const held = shared[HELD];

/**
 * Takes a lock, or resolves with `undefined` where somebody has it. It is an empty database: LevelDB locks what it opens
 * with a lock of the operating system, which ends with the process, however that ends, and holds across containers.
 * @throws BrokerError `ERR_STORAGE`
 */
export async function tryLock(store: LevelStore, folder: string): Promise<Lock | undefined> {
  if (held.has(folder)) return undefined;
  held.add(folder);
  const database = store.database(folder);
  try {
    await database.open({ createIfMissing: true });
  } catch (cause) {
    held.delete(folder);
    if (isLocked(cause)) return undefined;
    const message = `The lock in ${folder} cannot be taken: ${describeLevelError(cause)}. It holds nothing: where its files are damaged, remove it while no process uses the storage folder.`;
    throw new BrokerError("ERR_STORAGE", message, { cause });
  }
  return {
    async release() {
      await database.close();
      held.delete(folder);
    },
  };
}

/** Takes a lock as soon as nobody has it; resolves with `undefined` after `withinMs` milliseconds. */
export async function lockWithin(
  store: LevelStore,
  folder: string,
  clock: Clock,
  withinMs: number,
): Promise<Lock | undefined> {
  const deadlineAt = clock.now() + withinMs;
  for (;;) {
    const lock = await tryLock(store, folder);
    if (lock !== undefined || clock.now() >= deadlineAt) return lock;
    await delay(clock, RETRY_MS, undefined);
  }
}
