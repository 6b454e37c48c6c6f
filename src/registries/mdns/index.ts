/**
 * The registry of go-micro's defaults: processes of one network find each other by multicast DNS, in go-micro's own dialect
 * (the domain `micro`, and text records of compressed JSON). No server; it needs a network that carries multicast, which
 * containers, clouds and VPNs often do not. go-micro services are found here, and ours by go-micro.
 *
 * Each process answers for its own records, so that a record ends with its process: `standing` ones too. Processes that are
 * killed cannot take their leave; watches notice when they no longer answer. Nobody proves who they are: whoever is on the
 * network can register anything. Records that name another host's loopback address are passed over.
 */
import { randomInt } from "node:crypto";
import type { RemoteInfo } from "node:dgram";
import { BrokerError } from "../../errors.ts";
import type { Timer } from "../../internal/clock.ts";
import type { RegisterOptions, Registry, RegistryEvent, Service, Watcher } from "../../registry.ts";
import { backgroundClock } from "../background-clock.ts";
import { RecordTable } from "../record-table.ts";
import { expiry, mergeRecords, type RegistryRecord, recordKey, recordKeys, toRecords } from "../records.ts";
import { isOwnAddress } from "./interfaces.ts";
import { Lookup } from "./lookup.ts";
import { isServiceName, listName, serviceName } from "./names.ts";
import { type MdnsOptions, type ResolvedMdnsOptions, resolveMdnsOptions } from "./options.ts";
import { OwnRecords } from "./own-records.ts";
import { query, readInstances, readListed, readPacket, readQuestions } from "./packets.ts";
import { NodeReader } from "./read-node.ts";
import { MulticastSockets } from "./sockets.ts";

export type { MdnsOptions } from "./options.ts";

/** How many questions of one packet are answered. */
const MAX_QUESTIONS = 16;

/** How many sweeps a node may miss before a watch reports it gone. */
const MISSED_SWEEPS = 2.5;

/** How many nodes of others a look-up or a watch remembers: whoever floods the network cannot fill the memory. */
const MAX_NODES = 10_000;

/** How many services of the list are looked up. */
const MAX_SERVICES = 1_000;

/**
 * Opens the mDNS registry; no socket is opened before the first call. `register` rejects with `ERR_REGISTRY`, not retryable,
 * for a service whose name DNS cannot hold (labels between dots of more than 63 bytes, or more than about 200 bytes in all).
 * `deregister` removes what this instance registered. Every look-up takes `lookupMs`, since nobody knows who else will answer:
 * use `cache` of `tidings/registry/cache` where that matters.
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export function mdns(options: MdnsOptions = {}): Registry {
  return new MdnsRegistry(resolveMdnsOptions(options));
}

class MdnsRegistry implements Registry {
  readonly name = "mdns";
  readonly sharedWithGoMicro = true;
  readonly #options: ResolvedMdnsOptions;
  readonly #sockets: MulticastSockets;
  readonly #own: OwnRecords;
  readonly #nodes: NodeReader;
  readonly #lookups = new Set<Lookup>();
  /** What the watches know; of others only while anybody watches. */
  #seen = new RecordTable();
  #seenKeys = new Map<string, number>();
  #watches = 0;
  /** Registrations on their way: they need the sockets already. */
  #registering = 0;
  #baseline: Promise<unknown> | undefined;
  #sweep: Timer | undefined;

  constructor(options: ResolvedMdnsOptions) {
    this.#options = options;
    this.#nodes = new NodeReader(options.domain);
    this.#sockets = new MulticastSockets(options.interfaces, (packet, from, answers) =>
      this.#onPacket(packet, from, answers),
    );
    this.#own = new OwnRecords(options.domain, this.#sockets, (key, record) => {
      this.#seenKeys.delete(key);
      this.#seen.remove(record.service);
      this.#rest();
    });
  }

  async register(service: Service, options?: RegisterOptions): Promise<void> {
    const now = backgroundClock.now();
    const records = toRecords(service, now, expiry(options, now));
    this.#checkName(service.name);
    this.#registering += 1;
    try {
      await this.#sockets.listen();
      for (const [key, record] of records) await this.#own.put(key, record);
      this.#seen.put(service, options);
    } finally {
      this.#registering -= 1;
      this.#rest();
    }
  }

  async deregister(service: Service): Promise<void> {
    const keys = recordKeys(service).filter((key) => this.#own.has(key));
    const nodes = service.nodes.filter((node) => keys.includes(recordKey(service, node)));
    if (nodes.length === 0) return;
    this.#seen.remove({ ...service, nodes });
    for (const key of keys) this.#forget(key);
    try {
      await this.#own.remove(keys);
    } finally {
      this.#rest();
    }
  }

  async getService(name: string): Promise<Service[]> {
    if (!isServiceName(name, this.#options.domain)) return [];
    const found = await this.#ask([name], false);
    return mergeRecords([...this.#knownOf(this.#seen.get(name)), ...found.values(), ...this.#own.of(name)]);
  }

  async listServices(): Promise<Service[]> {
    const found = await this.#askAll();
    return mergeRecords([...this.#knownOf(this.#seen.list()), ...found.values(), ...this.#own.of()]);
  }

  async watch(listener: (event: RegistryEvent) => void, options?: { service?: string }): Promise<Watcher> {
    this.#watches += 1;
    let open = true;
    let told = false;
    const inner = this.#seen.watch((event) => told && listener(event), options?.service);
    const close = () => {
      if (!open) return;
      open = false;
      inner.close();
      this.#watches -= 1;
      if (this.#watches === 0) this.#endWatching();
    };
    try {
      await this.#sockets.listen();
      // What is there already is not news.
      this.#baseline ??= this.#askAll();
      await this.#baseline;
      if (open) this.#armSweep();
    } catch (error) {
      close();
      throw error;
    }
    told = true;
    return { close };
  }

  /** Asks who there is, and then each of them: two look-ups' time. */
  async #askAll(): Promise<Map<string, RegistryRecord>> {
    const listed = await this.#look([listName(this.#options.domain)]);
    const known = this.#watches > 0 ? this.#seen.list().map(({ name }) => name) : [];
    const names = [...new Set([...known, ...listed.services])].slice(0, MAX_SERVICES);
    return names.length === 0 ? new Map() : this.#ask(names, true);
  }

  async #ask(services: readonly string[], all: boolean): Promise<Map<string, RegistryRecord>> {
    const { domain } = this.#options;
    const lookup = await this.#look(
      services.filter((name) => isServiceName(name, domain)).map((name) => serviceName(name, domain)),
    );
    const found = [...lookup.records].filter(([, { service }]) => all || services.includes(service.name));
    return new Map(found);
  }

  async #look(names: readonly string[]): Promise<Lookup> {
    const lookup = new Lookup(MAX_NODES);
    this.#lookups.add(lookup);
    try {
      await lookup.run(this.#options.lookupMs, async (again) => {
        for (const name of names) await this.#sockets.multicast(query(name, randomInt(0x10000)), again);
      });
    } finally {
      this.#lookups.delete(lookup);
      this.#rest();
    }
    return lookup;
  }

  #onPacket(bytes: Buffer, from: RemoteInfo, answers: boolean): void {
    const { domain } = this.#options;
    const read = readPacket(bytes);
    if (read === undefined) return;
    if (read.type === "query") {
      for (const asked of readQuestions(read, domain, MAX_QUESTIONS))
        this.#own.answer(asked, from, (packet, to) => this.#sockets.reply(packet, to));
      return;
    }
    if (this.#watches === 0 && this.#lookups.size === 0) return;
    const listed = readListed(read, domain);
    if (listed.length > 0) for (const lookup of this.#lookups) lookup.addServices(listed);
    const instances = readInstances(read, domain);
    const fromOwnHost = instances.length > 0 && isOwnAddress(from.address);
    for (const instance of instances) {
      const service = this.#nodes.read(instance, fromOwnHost);
      if (service !== undefined) this.#onNode(service, instance.goodbye, answers);
    }
  }

  #onNode(service: Service, goodbye: boolean, answers: boolean): void {
    const now = backgroundClock.now();
    const expiresAt = now + this.#options.sweepMs * MISSED_SWEEPS;
    for (const [key, record] of toRecords(service, now, expiresAt)) {
      // What this instance says of its own nodes it knows better than its echo does.
      if (this.#own.has(key)) continue;
      if (goodbye) {
        this.#forget(key);
        this.#seen.remove(service);
        continue;
      }
      // A node that left while it was asked for may have answered before.
      const believed = [...this.#lookups].filter((lookup) => lookup.add(key, record, answers));
      if (this.#watches > 0 && (!answers || believed.length > 0)) this.#see(key, service, expiresAt);
    }
  }

  #see(key: string, service: Service, expiresAt: number): void {
    const now = backgroundClock.now();
    if (!this.#seenKeys.has(key) && this.#seenKeys.size >= MAX_NODES) return;
    this.#seenKeys.set(key, expiresAt);
    this.#seen.put(service, { ttlMs: expiresAt - now });
  }

  #forget(key: string): void {
    this.#seenKeys.delete(key);
    for (const lookup of this.#lookups) lookup.forget(key);
  }

  #knownOf(services: readonly Service[]): RegistryRecord[] {
    return services.flatMap((service) => [...toRecords(service, 0, Number.POSITIVE_INFINITY).values()]);
  }

  #armSweep(): void {
    if (this.#sweep !== undefined) return;
    const sweep = backgroundClock.after(this.#options.sweepMs, () => {
      const now = backgroundClock.now();
      for (const [key, expiresAt] of this.#seenKeys) if (expiresAt <= now) this.#seenKeys.delete(key);
      // Without a network nobody answers: what was known ends with its time.
      this.#askAll()
        .catch(() => {})
        .finally(() => {
          // While it asked, the watching may have ended, and others begun, with a sweep of their own.
          if (this.#sweep !== sweep) return;
          this.#sweep = undefined;
          this.#armSweep();
        });
    });
    this.#sweep = sweep;
  }

  #endWatching(): void {
    this.#sweep?.cancel();
    this.#sweep = undefined;
    this.#baseline = undefined;
    this.#seenKeys.clear();
    this.#seen = new RecordTable();
    const now = backgroundClock.now();
    for (const { service, expiresAt } of this.#own.of())
      if (expiresAt > now) this.#seen.put(service, { ttlMs: expiresAt - now });
    this.#rest();
  }

  /** Closes what nobody needs. */
  #rest(): void {
    if (this.#watches > 0 || this.#registering > 0 || this.#own.size > 0) return;
    if (this.#lookups.size > 0) this.#sockets.unlisten();
    else this.#sockets.close();
  }

  #checkName(service: string): void {
    if (isServiceName(service, this.#options.domain)) return;
    throw new BrokerError(
      "ERR_REGISTRY",
      `mDNS cannot announce a service named ${JSON.stringify(service)}: DNS holds names of about 200 bytes, of labels between dots of 1 to 63 bytes, without control characters.`,
      { retryable: false },
    );
  }
}
