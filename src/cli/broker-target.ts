import { BrokerError } from "../errors.ts";
import { findScheme } from "../schemes.ts";

/** A setting, and how much it weighs: what comes from a source of a lower rank wins over what comes from a higher one. */
export interface Ranked {
  readonly value: string;
  /** 0 for a flag, more for weaker sources. */
  readonly rank: number;
}

const ADDRESS = /^(?:\[[0-9a-f:.]+\]|[^\s:/?#@[\]\\]+)(?::\d{1,5})?$/i;
const URL_WITH_HOST = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#@]*@)?([^/?#]+)(.*)$/i;

/**
 * The broker that a name or URL and an address stand for, as `createBroker` takes it: `nats` and `127.0.0.1:4222` give
 * `nats://127.0.0.1:4222`. Without a broker the address is that of the embedded HTTP broker. A URL has an address of its own: a
 * stronger address replaces it, a weaker one is passed over.
 * @returns `undefined` when nothing is given
 * @throws BrokerError `ERR_INVALID_OPTION` for an unknown broker, an address that is none, an address for a broker that has
 * none, and a URL and an address from the same source
 */
export function brokerTarget(broker: Ranked | undefined, address: Ranked | undefined): string | undefined {
  if (address === undefined) {
    if (broker !== undefined) findScheme(broker.value);
    return broker?.value;
  }
  const name = broker?.value ?? "http";
  const { scheme } = findScheme(name);
  const [, prefix, credentials = "", , path] = URL_WITH_HOST.exec(name) ?? [];
  const weaker = broker !== undefined && address.rank > broker.rank;
  if (!scheme.defaultUrl.includes("//")) {
    if (weaker) return name;
    throw new BrokerError(
      "ERR_INVALID_OPTION",
      `The ${scheme.name} broker has no address: leave --broker-address out.`,
    );
  }
  if (prefix === undefined) return `${scheme.scheme}://${hostAndPort(address.value, scheme.scheme)}`;
  if (weaker) return name;
  if (address.rank === broker?.rank) {
    throw new BrokerError(
      "ERR_INVALID_OPTION",
      "The broker is a URL, which names its address: leave --broker-address out.",
    );
  }
  return `${prefix}${credentials}${hostAndPort(address.value, scheme.scheme)}${path}`;
}

/** Checks an address. go-micro's users may write it as a URL of the same scheme. */
function hostAndPort(address: string, scheme: string): string {
  const prefix = `${scheme}://`;
  const bare = address.startsWith(prefix) ? address.slice(prefix.length) : address;
  if (ADDRESS.test(bare)) return bare;
  const shown = address.replace(/[^/]*@/, "…@");
  throw new BrokerError(
    "ERR_INVALID_OPTION",
    `The broker's address ${JSON.stringify(shown)} is not host:port, such as 127.0.0.1:4222.`,
  );
}
