import type { Timer } from "../internal/clock.ts";
import type { RegisterOptions, Service, Watcher } from "../registry.ts";
import { backgroundClock } from "./background-clock.ts";
import { Listeners, type RegistryListener } from "./listeners.ts";
import { diffServices, expiry, mergeRecords, type RegistryRecord, recordKeys, toRecords } from "./records.ts";

type Records = Map<string, RegistryRecord>;

/** Records in memory, with their TTLs and watchers: what the registries without a medium of their own share. */
export class RecordTable {
  readonly #byName = new Map<string, Records>();
  readonly #fixed = new Map<string, Records>();
  readonly #listeners = new Listeners();
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  /** `fixed` never expires and cannot be removed; it is only hidden while a record of the same node is registered. Throws as {@link toRecords} does. */
  constructor(fixed: readonly Service[] = []) {
    for (const service of fixed) {
      for (const [key, record] of toRecords(service, 0, Number.POSITIVE_INFINITY)) {
        recordsOf(this.#fixed, service.name).set(key, record);
      }
    }
  }

  /** Adds or refreshes the nodes of a service version. Throws as {@link toRecords} and {@link expiry} do. */
  put(service: Service, options?: RegisterOptions): void {
    const now = backgroundClock.now();
    const records = toRecords(service, now, expiry(options, now));
    this.#change(service.name, (table) => {
      for (const [key, record] of records) {
        table.set(key, record);
        this.#arm(record.expiresAt);
      }
    });
  }

  /** Removes the nodes of a service version; unknown ones are ignored. */
  remove(service: Service): void {
    this.#change(service.name, (table) => {
      for (const key of recordKeys(service)) table.delete(key);
    });
  }

  /** Every version of one service that is live at `now` (milliseconds since the epoch; default: the current time). */
  get(name: string, now: number = backgroundClock.now()): Service[] {
    const live: Records = new Map(this.#fixed.get(name));
    for (const [key, record] of this.#byName.get(name) ?? []) if (record.expiresAt > now) live.set(key, record);
    return mergeRecords(live.values());
  }

  /** Every live service. */
  list(): Service[] {
    const names = new Set([...this.#fixed.keys(), ...this.#byName.keys()]);
    return [...names].sort().flatMap((name) => this.get(name));
  }

  /** Calls `listener` for every later change, of one service name or of all. */
  watch(listener: RegistryListener, service: string | undefined): Watcher {
    return this.#listeners.add(listener, service);
  }

  #change(name: string, mutate: (table: Records) => void): void {
    // Expiry is told first and on its own: a lookup would hide it from the comparison below.
    this.#prune(name);
    const now = backgroundClock.now();
    const before = this.get(name, now);
    const table = recordsOf(this.#byName, name);
    mutate(table);
    if (table.size === 0) this.#byName.delete(name);
    this.#emitChanges(before, this.get(name, now));
  }

  #prune(name: string): void {
    const table = this.#byName.get(name);
    if (table === undefined) return;
    const now = backgroundClock.now();
    const expired = [...table].filter(([, record]) => record.expiresAt <= now);
    if (expired.length === 0) return;
    const before = mergeRecords(new Map([...(this.#fixed.get(name) ?? []), ...table]).values());
    for (const [key] of expired) table.delete(key);
    if (table.size === 0) this.#byName.delete(name);
    this.#emitChanges(before, this.get(name, now));
  }

  #emitChanges(before: readonly Service[], after: readonly Service[]): void {
    for (const event of diffServices(before, after)) this.#listeners.emit(event);
  }

  #arm(expiresAt: number): void {
    if (expiresAt >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = expiresAt;
    this.#timer = backgroundClock.after(expiresAt - backgroundClock.now(), () => this.#pruneAll());
  }

  #pruneAll(): void {
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    for (const name of [...this.#byName.keys()]) this.#prune(name);
    for (const table of this.#byName.values()) for (const record of table.values()) this.#arm(record.expiresAt);
  }
}

function recordsOf(tables: Map<string, Records>, name: string): Records {
  const records = tables.get(name) ?? new Map<string, RegistryRecord>();
  tables.set(name, records);
  return records;
}
