import { isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";

/** A way out of this host that multicast packets take. */
export interface Way {
  readonly family: "udp4" | "udp6";
  /** The interface's name. */
  readonly name: string;
  /** Whether it leads to this host only. */
  readonly internal: boolean;
  /** What the socket is told to send by, and to join the group on: an IPv4 address, or `::%name`. */
  readonly via: string;
}

/**
 * The ways of this host, one for each interface and family: IPv4 also by loopback, so that the processes of a host without a
 * network find each other; IPv6 where the interface has an address of its own link.
 * @param only the addresses of the interfaces to use; `undefined`: all
 */
export function multicastWays(only: readonly string[] | undefined): Way[] {
  return Object.entries(networkInterfaces()).flatMap(([name, given]) => {
    const addresses = given ?? [];
    if (only !== undefined && !addresses.some(({ address }) => only.includes(address))) return [];
    const four = addresses.find(({ family }) => family === "IPv4");
    const six = addresses.find(
      ({ family, internal, address }) => family === "IPv6" && !internal && /^fe80:/i.test(address),
    );
    const ways: Way[] = [];
    if (four !== undefined) ways.push({ family: "udp4", name, internal: four.internal, via: four.address });
    if (six !== undefined) ways.push({ family: "udp6", name, internal: false, via: `::%${name}` });
    return ways;
  });
}

/**
 * The ways that reach everybody who is likely there: what goes out by an interface is heard by this host's processes too, so
 * that loopback is for a host without another; and IPv6 for an interface without IPv4.
 */
export function mainWays(all: readonly Way[]): Way[] {
  const outward = all.filter(({ internal }) => !internal);
  const four = new Set(outward.filter(({ family }) => family === "udp4").map(({ name }) => name));
  return outward.length === 0 ? [...all] : outward.filter(({ family, name }) => family === "udp4" || !four.has(name));
}

/** Whether a packet from this address was sent by this host. */
export function isOwnAddress(address: string): boolean {
  const [plain = ""] = address.split("%");
  if (isLoopbackAddress(plain)) return true;
  return Object.values(networkInterfaces()).some((given) => given?.some((one) => one.address === plain));
}

/** Whether an IP address means the host that uses it, whoever that is. */
export function isLoopbackAddress(ip: string): boolean {
  return isIPv4(ip) ? ip.startsWith("127.") : ip === "::1" || /^::ffff:127\./i.test(ip);
}
