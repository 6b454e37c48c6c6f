import { networkInterfaces } from "node:os";
import { BrokerError } from "../../errors.ts";
import { masked } from "../../internal/masked.ts";

/** A host and a port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads `host:port`, with an IPv6 host in brackets.
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:/\s[\]@?#]+)):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new BrokerError(
      "ERR_INVALID_OPTION",
      `The address ${JSON.stringify(masked(text))} is not host:port, such as 127.0.0.1:0 or [::1]:8080.`,
    );
  return { host: match[1] ?? match[2] ?? "", port };
}

/** Writes `host:port`, with an IPv6 host in brackets. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * The address of an `http://` URL.
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export function addressOfUrl(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    // What the parser throws quotes the whole URL, and there may be a password in it.
    throw new BrokerError(
      "ERR_INVALID_OPTION",
      `The URL ${JSON.stringify(masked(url))} is not valid; one such as http://127.0.0.1:0 is.`,
    );
  }
  if (
    parsed.username !== "" ||
    parsed.password !== "" ||
    parsed.search !== "" ||
    parsed.hash !== "" ||
    !["", "/"].includes(parsed.pathname)
  ) {
    throw new BrokerError(
      "ERR_INVALID_OPTION",
      "The URL of the HTTP broker holds a host and a port and nothing else, such as http://127.0.0.1:0.",
    );
  }
  // The URL parser drops the port 80, which is what a URL without one means for it; for a broker that is any free port.
  const port = parsed.port === "" ? (/:80\/?$/.test(url) ? "80" : "0") : parsed.port;
  return `${parsed.hostname === "" ? "127.0.0.1" : parsed.hostname}:${port}`;
}

/** Whether only this host can reach the address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\./.test(host);
}

/** Whether the address stands for every interface. */
export function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** An address that other hosts reach this one at: its first that is not loopback. */
export function reachableHost(): string {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address, family, internal } of addresses ?? []) if (family === "IPv4" && !internal) return address;
  }
  return "127.0.0.1";
}
