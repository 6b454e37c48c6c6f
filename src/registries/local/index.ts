/**
 * The default registry: processes of one user on one host find each other through a private folder. No server, no
 * network, nothing to configure. Linux and macOS.
 *
 * Each instance keeps its records in one file, which is replaced as a whole; standing records have files of their own. A
 * process that ends takes its records with it: by itself when it exits, and when it is killed the others notice within
 * about a second and clean up. Between processes that do not share pids (containers) only the TTL decides. Whoever watches puts
 * back what was removed of its own, and then the standing records too, and the secret.
 */
import { systemClock } from "../../internal/clock.ts";
import { delay } from "../../internal/wait.ts";
import type { RegisterOptions, Registry, RegistryEvent, Service, Watcher } from "../../registry.ts";
import { Listeners } from "../listeners.ts";
import { diffServices, expiry, mergeRecords, type RegistryRecord, recordKeys, toRecords } from "../records.ts";
import { AtomicWriter } from "./atomic-file.ts";
import { coalesced } from "./coalesced.ts";
import { defaultFolder, PrivateFolder } from "./folder.ts";
import { Monitor } from "./monitor.ts";
import { OwnRecords } from "./own-records.ts";
import { currentOwner, ownedStem } from "./owner.ts";
import { Scanner, type StandingFiles } from "./scanner.ts";
import { SecretFile } from "./secret-file.ts";
import { StandingRecords } from "./standing-records.ts";

/** How long somebody who removes the folder is left to get done before it is put back, in milliseconds. */
const CLEARING_MS = 500;

/** Options of {@link local}. */
export interface LocalOptions {
  /**
   * The folder to meet in: created if missing, and refused unless it is this user's alone (mode 0700). Default: the
   * environment's `TIDINGS_LOCAL_REGISTRY_FOLDER`, else `$XDG_RUNTIME_DIR/tidings`, else `tidings-<uid>` in the folder
   * for temporary files.
   */
  folder?: string;
}

/**
 * Opens the registry of this user on this host; nothing is touched before the first call. Every call rejects with
 * `ERR_REGISTRY`, not retryable and with what to do, when the folder belongs to another user, is open to others or is a
 * symbolic link. `deregister` removes records of this instance, and standing ones of anybody.
 */
export function local(options: LocalOptions = {}): Registry {
  return new LocalRegistry(new PrivateFolder(options.folder ?? defaultFolder()));
}

class LocalRegistry implements Registry {
  readonly name = "local";
  readonly sharedWithGoMicro = false;
  readonly #folder: PrivateFolder;
  readonly #own: OwnRecords;
  readonly #standing: StandingRecords;
  readonly #secret: SecretFile;
  readonly #scanner: Scanner;
  readonly #monitor: Monitor;
  readonly #listeners = new Listeners();
  /** What the watchers know; `undefined` while nobody watches. */
  #seen: readonly Service[] | undefined;

  constructor(folder: PrivateFolder) {
    const owner = currentOwner();
    const stem = ownedStem(owner);
    const writer = new AtomicWriter(folder, stem);
    this.#folder = folder;
    this.#own = new OwnRecords(folder, writer, stem);
    this.#standing = new StandingRecords(folder, writer);
    this.#secret = new SecretFile(folder, writer);
    this.#scanner = new Scanner(folder, owner);
    this.#monitor = new Monitor(
      folder.path,
      () => this.#scanner.isStale(),
      () => {
        // Nobody waits for this reading. If it fails, look-ups report it, and the monitor comes again.
        this.#scan().catch(() => {});
      },
    );
  }

  async register(service: Service, options?: RegisterOptions): Promise<void> {
    const now = Date.now();
    const records = toRecords(service, now, expiry(options, now));
    const keys = [...records.keys()];
    // In this order there is no moment without the record.
    if (options?.standing === true) {
      await this.#standing.put(records);
      await this.#own.remove(keys);
    } else {
      await this.#own.put(records);
      await this.#removeStanding(keys);
    }
    await this.#secret.touch();
  }

  async deregister(service: Service): Promise<void> {
    const keys = recordKeys(service);
    await Promise.all([this.#own.remove(keys), this.#removeStanding(keys)]);
  }

  async #removeStanding(keys: readonly string[]): Promise<void> {
    this.#scanner.forget(keys);
    await this.#standing.remove(keys);
  }

  async getService(name: string): Promise<Service[]> {
    return (await this.#scan()).filter((service) => service.name === name);
  }

  async listServices(): Promise<Service[]> {
    return [...(await this.#scan())];
  }

  async watch(listener: (event: RegistryEvent) => void, options?: { service?: string }): Promise<Watcher> {
    let open = false;
    const watcher = this.#listeners.add(
      (event) => open && listener(event),
      options?.service,
      () => this.#rest(),
    );
    try {
      await this.#folder.ensure();
      this.#monitor.start();
      // What changes from here on is either in this reading or reported after it.
      const seen = await this.#scan();
      this.#seen ??= seen;
    } catch (error) {
      watcher.close();
      throw error;
    }
    open = true;
    return watcher;
  }

  secret(): Promise<Uint8Array> {
    return this.#secret.read();
  }

  readonly #scan: () => Promise<readonly Service[]> = coalesced(async () => {
    const services = mergeRecords(await this.#read());
    if (this.#seen !== undefined) {
      const events = diffServices(this.#seen, services);
      this.#seen = services;
      for (const event of events) this.#listeners.emit(event);
    }
    return services;
  });

  /**
   * Reads the folder, and puts back what somebody has removed: who clears folders for temporary files, or ends a user's session,
   * asks nobody, and removes file by file. A standing record whose file is gone was taken back, unless this process's is gone too.
   */
  async #read(): Promise<RegistryRecord[]> {
    if (this.#own.inPlace) await this.#restore(new Map());
    const before = this.#scanner.standing;
    const records = await this.#scanner.scan();
    const isCleared = !this.#own.inPlace;
    if (!this.#own.shown || (!isCleared && !this.#scanner.misses(before))) return records;
    await delay(systemClock, CLEARING_MS);
    await this.#restore(isCleared || !this.#own.inPlace ? before : new Map());
    return this.#scanner.scan();
  }

  async #restore(standing: StandingFiles): Promise<void> {
    if (!this.#own.shown) return;
    try {
      await this.#standing.restore(standing);
      await this.#secret.restore();
      await this.#own.restore();
    } catch {
      // Whoever keeps the records fresh tries it soon, and reports it.
    }
  }

  #rest(): void {
    if (this.#listeners.size > 0) return;
    this.#monitor.close();
    this.#seen = undefined;
  }
}
