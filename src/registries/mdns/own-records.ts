import type { RemoteInfo } from "node:dgram";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { isDeepStrictEqual } from "node:util";
import type { Timer } from "../../internal/clock.ts";
import type { Node, Service } from "../../registry.ts";
import { backgroundClock } from "../background-clock.ts";
import type { RegistryRecord } from "../records.ts";
import { instanceName, isDnsName, listName, serviceName } from "./names.ts";
import { type Asked, announcement, goodbye, type Instance, listAnswer, nodeAnswer } from "./packets.ts";
import type { MulticastSockets } from "./sockets.ts";
import { encodeText } from "./txt.ts";

/** When a node that appeared is announced again, as go-micro does, in milliseconds after the first time. */
const REPEATS_MS: readonly number[] = [1_000, 3_000];

/** What stands for an address that is none. */
const NO_ADDRESS = { ip: "0.0.0.0", port: 0 };

interface OwnRecord {
  record: RegistryRecord;
  instance: Instance;
  expiry: Timer | undefined;
  repeats: Timer[];
}

/** The nodes that one registry has registered: it answers for them, announces them, and takes leave of them. */
export class OwnRecords {
  readonly #domain: string;
  readonly #sockets: MulticastSockets;
  readonly #onExpired: (key: string, record: RegistryRecord) => void;
  readonly #host = hostLabel();
  readonly #records = new Map<string, OwnRecord>();

  constructor(domain: string, sockets: MulticastSockets, onExpired: (key: string, record: RegistryRecord) => void) {
    this.#domain = domain;
    this.#sockets = sockets;
    this.#onExpired = onExpired;
  }

  /** How many there are. */
  get size(): number {
    return this.#records.size;
  }

  has(key: string): boolean {
    return this.#records.has(key);
  }

  /** All of them, or those of one service. */
  of(service?: string): RegistryRecord[] {
    const all = [...this.#records.values()].map(({ record }) => record);
    return service === undefined ? all : all.filter((record) => record.service.name === service);
  }

  /** Adds a record or prolongs it, and announces it where it is new or has changed. Resolves when that is sent. */
  async put(key: string, record: RegistryRecord): Promise<void> {
    const known = this.#records.get(key);
    const same = known !== undefined && isDeepStrictEqual(known.record.service, record.service);
    const instance = same ? known.instance : await this.#instanceOf(record.service, record.node);
    const current = this.#records.get(key);
    current?.expiry?.cancel();
    if (!same) for (const repeat of current?.repeats ?? []) repeat.cancel();
    const own: OwnRecord = { record, instance, expiry: undefined, repeats: same ? (current?.repeats ?? []) : [] };
    own.expiry = backgroundClock.after(record.expiresAt - backgroundClock.now(), () => this.#expire(key, own));
    this.#records.set(key, own);
    if (same) return;
    const packet = announcement(instance);
    own.repeats = REPEATS_MS.map((delayMs) =>
      // Who missed the first one hears this, or asks.
      backgroundClock.after(delayMs, () => void this.#sockets.multicast(packet, true).catch(() => {})),
    );
    await this.#sockets.multicast(packet);
  }

  /** Removes records and takes leave of them. Unknown ones are ignored. */
  async remove(keys: readonly string[]): Promise<void> {
    const removed = keys.flatMap((key) => {
      const own = this.#records.get(key);
      return own !== undefined && this.#forget(key, own) ? [own] : [];
    });
    await Promise.all(removed.map(({ instance }) => this.#sockets.multicast(goodbye(instance), true)));
  }

  /** Answers one question, with a packet for each node concerned. */
  answer(asked: Asked, from: RemoteInfo, reply: (packet: Buffer, to: RemoteInfo) => void): void {
    const { name } = asked.question;
    const type = String(asked.question.type);
    const domain = this.#domain;
    if (name === listName(domain)) {
      if (type !== "PTR" && type !== "ANY") return;
      const services = new Set([...this.#records.values()].map(({ record }) => record.service.name));
      for (const service of services) reply(listAnswer(asked, service, domain, this.#host), from);
      return;
    }
    for (const { record, instance } of this.#records.values()) {
      const service = record.service.name;
      const concerned =
        name === serviceName(service, domain)
          ? type === "PTR" || type === "ANY"
          : name === instance.name && type !== "PTR";
      if (concerned) reply(nodeAnswer(asked, service, domain, instance), from);
    }
  }

  #expire(key: string, own: OwnRecord): void {
    if (!this.#forget(key, own)) return;
    this.#onExpired(key, own.record);
    // Who does not hear it asks in vain later.
    this.#sockets.multicast(goodbye(own.instance), true).catch(() => {});
  }

  #forget(key: string, own: OwnRecord): boolean {
    if (this.#records.get(key) !== own) return false;
    own.expiry?.cancel();
    for (const repeat of own.repeats) repeat.cancel();
    return this.#records.delete(key);
  }

  async #instanceOf(service: Service, node: Node): Promise<Instance> {
    const name = instanceName(node.id, service.name, this.#domain);
    const id = name === `${node.id}.${service.name}.${this.#domain}` ? undefined : node.id;
    const place = literal(node.address);
    const address = place === undefined ? node.address : undefined;
    const { ip, port } = place ?? (await resolved(node.address));
    return { name, host: this.#host, ip, port, text: encodeText(service, node, { id, address }) };
  }
}

/** The address and port of `host:port` where the host is an IP address, as go-micro wants it. */
function literal(address: string): { readonly ip: string; readonly port: number } | undefined {
  const { host = "", port } = split(address);
  return isIP(host) !== 0 && !host.includes("%") && port > 0 ? { ip: host, port } : undefined;
}

/** For go-micro peers, which know addresses only; a Tidings peer is told the name itself. */
async function resolved(address: string): Promise<{ readonly ip: string; readonly port: number }> {
  const { host, port } = split(address);
  if (host === undefined || host === "") return NO_ADDRESS;
  try {
    return { ip: (await lookup(host, { family: 4 })).address, port };
  } catch {
    // The name may have a meaning elsewhere.
    return NO_ADDRESS;
  }
}

function split(address: string): { readonly host: string | undefined; readonly port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3] ?? 0);
  return { host: match?.[1] ?? match?.[2], port: port <= 65_535 ? port : 0 };
}

/** go-micro names the host as the system does; it is only the link between two records of a packet. */
function hostLabel(): string {
  const name = hostname();
  return isDnsName(name) ? name : "tidings";
}
