/**
 * The packets of go-micro's mDNS registry, which differ from RFC 6762 in what its readers insist on: an answer echoes its
 * question and tells of one node, the service record stands before the address, and an announcement has no pointer. Source:
 * go-micro's `util/mdns`.
 */
import packet, { type Answer, type DecodedPacket, type Question } from "dns-packet";
import { listedName, listName, prefixOf, serviceName } from "./names.ts";

/** How long a record holds, as go-micro writes it, in seconds. go-micro's readers pass over it. */
const RECORD_TTL_SECONDS = 120;

/** go-micro's priority and weight of a node. */
const SRV_ORDER = { priority: 10, weight: 1 };

/** go-micro's port of a service in the list, where no port has a meaning. */
const LIST_PORT = 9_999;

/** The bit of a question's class that asks for an answer by unicast (RFC 6762, section 5.4): the answer then has the question's id. */
const UNICAST_CLASS = "UNKNOWN_32769";

/** A node as packets tell it. */
export interface Instance {
  /** `<node id>.<service>.<domain>`. */
  readonly name: string;
  /** The host that it runs on. */
  readonly host: string;
  readonly ip: string;
  readonly port: number;
  readonly text: readonly Buffer[];
}

/** A node read from a packet. */
export interface ReadInstance extends Instance {
  /** Whether the packet says that the node is gone. */
  readonly goodbye: boolean;
}

/** What a query asks for, as far as this registry can answer. */
export interface Asked {
  readonly question: Question;
  /** What the answer carries as its id. */
  readonly id: number;
}

/** A question for a name's nodes, as go-micro asks it. */
export function query(name: string, id: number): Buffer {
  return packet.encode({ type: "query", id, questions: [{ type: "PTR", class: "IN", name }] });
}

/** The answer that tells of one node. */
export function nodeAnswer({ question, id }: Asked, service: string, domain: string, instance: Instance): Buffer {
  const name = serviceName(service, domain);
  const pointer: Answer[] =
    question.name === name ? [{ type: "PTR", class: "IN", name, ttl: RECORD_TTL_SECONDS, data: instance.name }] : [];
  return answer(id, question, [...pointer, ...records(instance, RECORD_TTL_SECONDS)]);
}

/** The answer that tells of one service of the list. */
export function listAnswer({ question, id }: Asked, service: string, domain: string, host: string): Buffer {
  const name = listedName(service, domain);
  const instance = { name, host, ip: "0.0.0.0", port: LIST_PORT, text: [] };
  const pointer: Answer = {
    type: "PTR",
    class: "IN",
    name: listName(domain),
    ttl: RECORD_TTL_SECONDS,
    data: name,
  };
  return answer(id, question, [pointer, ...records(instance, RECORD_TTL_SECONDS)]);
}

/** What is sent to everybody when a node appears. */
export function announcement(instance: Instance): Buffer {
  return packet.encode({ type: "response", answers: records(instance, RECORD_TTL_SECONDS) });
}

/** What is sent to everybody when a node leaves. */
export function goodbye(instance: Instance): Buffer {
  return packet.encode({ type: "response", answers: records(instance, 0) });
}

/** Reads a packet; `undefined` where it is malformed. */
export function readPacket(bytes: Buffer): DecodedPacket | undefined {
  try {
    return packet.decode(bytes);
  } catch {
    // Anybody may send anything to the port.
    return undefined;
  }
}

/** The questions of a query that concern a domain and that go-micro answers: at most `limit`, each once. */
export function readQuestions(read: DecodedPacket, domain: string, limit: number): Asked[] {
  const asked = new Map<string, Asked>();
  for (const question of read.questions ?? []) {
    const unicast = String(question.class) === UNICAST_CLASS;
    if (prefixOf(question.name, domain) === undefined || !(unicast || question.class === "IN")) continue;
    const key = `${question.type} ${question.name}`;
    if (asked.size < limit || asked.has(key))
      asked.set(key, { question: { ...question, class: "IN" }, id: unicast ? (read.id ?? 0) : 0 });
  }
  return [...asked.values()];
}

/** The nodes of a domain that a response tells of: those whose service, address and text records are all in it. */
export function readInstances(read: DecodedPacket, domain: string): ReadInstance[] {
  const all = recordsOf(read);
  const texts = new Map<string, { readonly text: readonly Buffer[]; readonly goodbye: boolean }>();
  const ips = new Map<string, string>();
  for (const record of all) {
    if (record.type === "TXT") texts.set(record.name, { text: buffers(record.data), goodbye: record.ttl === 0 });
    // go-micro prefers an IPv4 address.
    else if (record.type === "A") ips.set(record.name, record.data);
    else if (record.type === "AAAA" && !ips.has(record.name)) ips.set(record.name, record.data);
  }
  return all.flatMap((record) => {
    if (record.type !== "SRV" || prefixOf(record.name, domain) === undefined) return [];
    const { target, port } = record.data;
    const text = texts.get(record.name);
    const ip = ips.get(target);
    if (text === undefined || ip === undefined) return [];
    return [{ name: record.name, host: target, ip, port, text: text.text, goodbye: text.goodbye || record.ttl === 0 }];
  });
}

/** The services that a response of the list names. */
export function readListed(read: DecodedPacket, domain: string): string[] {
  const list = listName(domain);
  const names = recordsOf(read).flatMap((record) => {
    if (record.ttl === 0) return [];
    if (record.type === "PTR" && record.name === list) return [prefixOf(record.data, list)];
    return record.type === "SRV" ? [prefixOf(record.name, list)] : [];
  });
  return [...new Set(names.filter((name) => name !== undefined))];
}

type Resource = Exclude<Answer, { type: "OPT" }>;

function recordsOf(read: DecodedPacket): Resource[] {
  return [...(read.answers ?? []), ...(read.additionals ?? [])].filter((one): one is Resource => one.type !== "OPT");
}

function buffers(data: unknown): Buffer[] {
  return (Array.isArray(data) ? data : [data]).filter((one) => Buffer.isBuffer(one));
}

function records({ name, host, ip, port, text }: Instance, ttl: number): Answer[] {
  return [
    { type: "SRV", class: "IN", name, ttl, data: { ...SRV_ORDER, port, target: host } },
    { type: ip.includes(":") ? "AAAA" : "A", class: "IN", name: host, ttl, data: ip },
    { type: "TXT", class: "IN", name, ttl, data: [...text] },
  ];
}

function answer(id: number, question: Question, answers: Answer[]): Buffer {
  return packet.encode({
    type: "response",
    id,
    flags: packet.AUTHORITATIVE_ANSWER,
    questions: [question],
    answers,
  });
}
