import { randomUUID } from "node:crypto";
import { BrokerError, wrapError } from "../../errors.ts";
import { type Clock, type Timer, wallTime } from "../../internal/clock.ts";
import type { Journal } from "../journal.ts";
import { type Change, Commits, plainChange } from "./commits.ts";
import type { KeptMessage } from "./contents.ts";
import { DiskJournal } from "./disk-journal.ts";
import { StorageFolder } from "./folder.ts";
import { type LevelDatabase, type LevelStore, loadLevel } from "./level.ts";
import { type Lock, lockWithin } from "./lock.ts";
import { openPart, type Part } from "./part.ts";
import { encodeJson, KIND, nameKey } from "./record.ts";

/**
 * How long a start waits for others to go through the parts, in milliseconds. Then it makes a part of its own: on a folder of
 * many processes somebody always does, who takes over what was left there.
 */
const LOCK_WITHIN_MS = 2_000;

/** The same when a part without content is removed at the end: it may stay as well. */
const LEAVE_WITHIN_MS = 500;

/** When parts of instances that ended are looked for: soon after the start, and then again and again, in milliseconds. */
const LOOK_MS = { first: 1_000, every: 10_000 };

/** How often it is written down that queues have members, in milliseconds. */
const REFRESH_QUEUES_MS = 60 * 60 * 1_000;

/** What a {@link Storage} works with. */
export interface StorageParts {
  readonly folder: string;
  readonly whenFull: "reject" | "wait";
  readonly clock: Clock;
  onError(error: BrokerError): void;
}

/** What other instances left, as it goes on here: messages that are synced in this instance's part, and queues. */
export interface Legacy {
  readonly messages: readonly KeptMessage[];
  /** When each queue had a member last, in milliseconds since the epoch, by the queue's lane id. */
  readonly queues: ReadonlyMap<string, number>;
}

/** What takes over what other instances left. */
interface Heir {
  /** Whether so many messages of so many bytes fit. */
  hasRoom(messages: number, bytes: number): boolean;
  take(legacy: Legacy): void;
}

/** An outbox on disk: one part of the storage folder, and those of ended instances as they are found. */
export interface Storage {
  readonly journal: Journal;
  /** Hands over what the part held when it was opened, once. */
  takeLegacy(): Legacy;
  /** Takes over what instances that ended leave behind, from now on. */
  watch(heir: Heir): void;
  /**
   * Writes what is left, and gives the part free. Idempotent.
   * @throws BrokerError `ERR_STORAGE`
   */
  close(): Promise<void>;
}

/**
 * Opens the storage folder: takes the part of an instance that ended, or makes a new one.
 * @throws BrokerError `ERR_STORAGE`, `ERR_MISSING_DEPENDENCY`
 */
export async function openStorage(parts: StorageParts): Promise<Storage> {
  const store = await loadLevel();
  const folder = new StorageFolder(parts.folder);
  await folder.prepare();
  try {
    const left = await takeLeft(parts, store, folder);
    return new DiskStorage(parts, store, folder, left ?? (await newPart(store, folder)));
  } catch (cause) {
    throw wrapError(cause, "ERR_STORAGE", `The storage folder ${folder.path} cannot be used`);
  }
}

/** An open part that nothing speaks against. */
type SoundPart = Part & { readonly database: LevelDatabase };

/** The first part that nobody has and nothing speaks against; none while others keep going through them. */
async function takeLeft(parts: StorageParts, store: LevelStore, folder: StorageFolder): Promise<SoundPart | undefined> {
  if (await folder.isEmpty()) return undefined;
  const lock = await lockWithin(store, folder.lock, parts.clock, LOCK_WITHIN_MS);
  if (lock === undefined) return undefined;
  try {
    await folder.tidy();
    for (const name of await folder.parts()) {
      try {
        const part = await openPart(store, folder.part(name), name);
        if (isSound(part)) return part;
        // A damaged one is taken over later, like those of others.
        await part?.close();
      } catch (error) {
        parts.onError(wrapError(error, "ERR_STORAGE", `The part ${name} of the storage folder cannot be used`));
      }
    }
    return undefined;
  } finally {
    await lock.release();
  }
}

/**
 * A new part. It is made while others may go through the parts, so that a hundred processes that start at once need not wait
 * for each other's disk writes: nobody looks at it before it has data, and then it is locked.
 */
async function newPart(store: LevelStore, folder: StorageFolder): Promise<SoundPart> {
  const name = folder.newName();
  const part = await openPart(store, folder.part(name), name);
  if (!isSound(part)) throw new BrokerError("ERR_STORAGE", `A new part of the storage folder is not sound: ${name}`);
  return part;
}

function isSound(part: Part | undefined): part is SoundPart {
  return part?.database !== undefined;
}

class DiskStorage implements Storage {
  readonly #parts: StorageParts;
  readonly #store: LevelStore;
  readonly #folder: StorageFolder;
  readonly #own: SoundPart;
  readonly #commits: Commits;
  readonly #journal: DiskJournal;
  /** Parts whose trouble was reported. */
  readonly #reported = new Set<string>();
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  #refreshedAt: number;
  #closed: Promise<void> | undefined;

  constructor(parts: StorageParts, store: LevelStore, folder: StorageFolder, own: SoundPart) {
    this.#parts = parts;
    this.#store = store;
    this.#folder = folder;
    this.#own = own;
    this.#refreshedAt = parts.clock.now();
    const { clock, whenFull, onError } = parts;
    this.#commits = new Commits({
      database: own.database,
      folder: own.dataFolder,
      state: { ...own.contents.state, writer: randomUUID() },
      whenFull,
      clock,
      onError,
    });
    this.#journal = new DiskJournal(this.#commits, clock, own.contents);
  }

  get journal(): Journal {
    return this.#journal;
  }

  takeLegacy(): Legacy {
    const { messages, queues } = this.#own.contents;
    // Not kept here: what is settled is to leave the memory.
    return { messages: messages.splice(0), queues };
  }

  watch(heir: Heir): void {
    this.#arm(heir, LOOK_MS.first);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close().catch((cause: unknown) => {
      throw wrapError(cause, "ERR_STORAGE", `The storage folder ${this.#folder.path} could not be left in order`);
    });
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#timer?.cancel();
    this.#journal.refreshQueues();
    // First: a part that is being taken over may wait for room on the disk.
    await this.#commits.close();
    await this.#looking;
    if (this.#commits.messages > 0 || this.#journal.hasQueues) return this.#own.close();
    let lock: Lock | undefined;
    try {
      lock = await lockWithin(this.#store, this.#folder.lock, this.#parts.clock, LEAVE_WITHIN_MS);
      if (lock !== undefined) await this.#folder.remove(this.#own.name);
    } finally {
      // However that went: as long as the part is locked, nobody can go on with it.
      await this.#own.close();
      await lock?.release();
    }
  }

  #arm(heir: Heir, afterMs: number): void {
    if (this.#closed !== undefined) return;
    this.#timer = this.#parts.clock.after(afterMs, () => {
      this.#looking = this.#look(heir)
        .catch((error: unknown) => this.#report(this.#folder.path, error))
        .finally(() => this.#arm(heir, LOOK_MS.every));
    });
  }

  async #look(heir: Heir): Promise<void> {
    const { clock } = this.#parts;
    if (clock.now() - this.#refreshedAt > REFRESH_QUEUES_MS) {
      this.#refreshedAt = clock.now();
      this.#journal.refreshQueues();
    }
    const names = (await this.#folder.parts()).filter((name) => name !== this.#own.name);
    if (names.length === 0) return;
    // One look at a time: a part that is being removed must not be opened.
    const lock = await lockWithin(this.#store, this.#folder.lock, clock, 0);
    if (lock === undefined) return;
    try {
      for (const name of names) {
        if (this.#closed !== undefined) return;
        await this.#takeOver(name, heir).catch((error: unknown) => this.#report(name, error));
      }
    } finally {
      await lock.release();
    }
  }

  /** Takes over a part if nobody has it: its messages are in the own part before they leave the other. */
  async #takeOver(name: string, heir: Heir): Promise<void> {
    const part = await openPart(this.#store, this.#folder.part(name), name);
    if (part === undefined) return;
    try {
      const { state, damage } = part.contents;
      const { adopted } = this.#own.contents;
      // Since it was taken over, another instance may have made it its own: then there may be more in it.
      const isKnown = adopted.has(name) && adopted.get(name) === state.writer;
      if (!isKnown) {
        if (!heir.hasRoom(state.messages, state.bytes)) return;
        const legacy = await this.#copy(part);
        // It may be that it cannot be removed now.
        adopted.set(name, state.writer);
        if (this.#closed === undefined) heir.take(legacy);
      }
      if (damage === undefined) await this.#folder.remove(name);
      else this.#reportDamage(part, await this.#folder.setAside(name));
      adopted.delete(name);
      this.#commits.append(plainChange(nameKey(KIND.adopted, name), undefined));
    } finally {
      await part.close();
    }
  }

  /** Resolves when the own part has everything, and knows that the other is only to be removed. */
  async #copy(part: Part): Promise<Legacy> {
    const { changes, kept } = this.#journal.adopt(part.contents);
    const stored = new Set<Change["key"]>();
    for (const change of changes) {
      // A step each: a whole part may be too much for one.
      const onStored = (error: unknown) => {
        if (error === undefined) stored.add(change.key);
        return undefined;
      };
      this.#commits.append(change.messages === 1 ? { ...change, onStored } : change);
    }
    const key = nameKey(KIND.adopted, part.name);
    await new Promise<void>((resolve, reject) => {
      this.#commits.append({
        ...plainChange(key, encodeJson(key, { at: wallTime(this.#parts.clock), writer: part.contents.state.writer })),
        onStored: (error) => {
          if (error === undefined) resolve();
          else reject(error);
          return undefined;
        },
      });
    }).catch((error: unknown) => {
      for (const { journalId, message } of kept)
        if (stored.has(journalId)) this.#journal.forget(journalId, message.bytes);
      throw error;
    });
    return { messages: kept, queues: part.contents.queues };
  }

  #reportDamage({ name, contents }: Part, aside: string): void {
    const message = `The part ${name} of the storage folder is damaged (${contents.damage}). ${contents.messages.length} message(s) could be read and go on; the files are kept in ${aside} and can be removed.`;
    this.#parts.onError(new BrokerError("ERR_STORAGE", message, { count: contents.messages.length }));
  }

  #report(name: string, error: unknown): void {
    if (this.#reported.has(name) || this.#closed !== undefined) return;
    this.#reported.add(name);
    this.#parts.onError(wrapError(error, "ERR_STORAGE", `Taking over ${name} of the storage folder failed`));
  }
}
