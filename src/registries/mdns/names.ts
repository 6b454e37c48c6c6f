/**
 * go-micro's names in mDNS: a service `S` is asked for as `S.micro`, a node of it is `<node id>.S.micro`, and the list of all
 * services is `_services.micro`. Dots in names and ids divide labels, as in go-micro. Names here have no final dot.
 */
import { createHash } from "node:crypto";

/** go-micro's domain since version 1.10; it was `local` before. */
export const DEFAULT_DOMAIN = "micro";

/** The name under which go-micro lists services. */
const LIST_LABEL = "_services";

/** A label's longest form in bytes (RFC 1035, section 2.3.4). */
const MAX_LABEL_BYTES = 63;

/** A name's longest form in bytes, with a length byte for each label and without the root (RFC 1035, section 2.3.4). */
const MAX_NAME_BYTES = 254;

/** The characters of a hash that stands in for an id: short, and safe as a label. */
const HASH_CHARACTERS = 40;

/** The name that all nodes of a service are asked for by. */
export function serviceName(service: string, domain: string): string {
  return `${service}.${domain}`;
}

/** The name that the list of services is asked for by. */
export function listName(domain: string): string {
  return `${LIST_LABEL}.${domain}`;
}

/** The name of one service in the list. */
export function listedName(service: string, domain: string): string {
  return `${service}.${LIST_LABEL}.${domain}`;
}

/** The name of a node. An id that no DNS name can hold is hashed. */
export function instanceName(nodeId: string, service: string, domain: string): string {
  const name = `${nodeId}.${service}.${domain}`;
  if (isDnsName(name)) return name;
  return `${createHash("sha256").update(nodeId).digest("hex").slice(0, HASH_CHARACTERS)}.${service}.${domain}`;
}

/** What stands before `.suffix` in a name; `undefined` where the name does not end so. As in go-micro, the case counts. */
export function prefixOf(name: string, suffix: string): string | undefined {
  return name.length > suffix.length + 1 && name.endsWith(`.${suffix}`) ? name.slice(0, -suffix.length - 1) : undefined;
}

/** Whether a service of this name can be announced: as a name of its own, and with a hashed id before it. */
export function isServiceName(service: string, domain: string): boolean {
  return service !== LIST_LABEL && isDnsName(`${"x".repeat(HASH_CHARACTERS)}.${listedName(service, domain)}`);
}

/** Whether a text is a name that DNS holds as it is: labels of 1 to 63 bytes, and no control characters. */
export function isDnsName(name: string): boolean {
  const labels = name.split(".").map((label) => Buffer.byteLength(label));
  const bytes = labels.reduce((sum, length) => sum + length + 1, 0);
  return (
    labels.every((length) => length >= 1 && length <= MAX_LABEL_BYTES) &&
    bytes <= MAX_NAME_BYTES &&
    name.isWellFormed() &&
    !/\p{Cc}/u.test(name)
  );
}
