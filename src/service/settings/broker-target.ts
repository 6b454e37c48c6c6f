import { BrokerError } from "../../errors.ts";
import { findScheme } from "../../schemes.ts";
import { invalidValue } from "./setting.ts";
import { SETTINGS } from "./table.ts";

/** A value, and where it comes from: what comes from a source of a lower rank wins over what comes from a higher one. */
export interface Ranked<Value> {
  readonly value: Value;
  /** 0 for a flag, more for weaker sources. */
  readonly rank: number;
  /** The flag or variable. */
  readonly source: string;
}

const ADDRESS = /^(?:\[[0-9a-f:.]+\]|[^\s:/?#@[\]\\]+)(?::\d{1,5})?$/i;
const PORT_ALONE = /^\d+$/;
const MAX_PORT = 65_535;
const URL_WITH_HOST = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*@)?([^/?#@]+)(.*)$/i;

/**
 * The broker that a name or URL and an address stand for, as `createBroker` takes it: `nats` and `127.0.0.1:4222` give
 * `nats://127.0.0.1:4222`. Without a broker the address is that of the embedded HTTP broker. A URL has an address of its own: a
 * stronger address replaces it, a weaker one is passed over.
 * @param broker a name or URL that the table of schemes knows
 * @returns `undefined` when nothing is given
 * @throws BrokerError `ERR_INVALID_OPTION` for an address that is none, an address for a broker that has none, and a URL and an
 * address from the same source
 */
export function brokerTarget(
  broker: Ranked<string> | undefined,
  address: Ranked<string> | undefined,
): string | undefined {
  if (address === undefined) return broker?.value;
  const name = broker?.value ?? "http";
  const { scheme } = findScheme(name);
  const [, prefix, credentials = "", , path] = URL_WITH_HOST.exec(name) ?? [];
  const weaker = broker !== undefined && address.rank > broker.rank;
  if (!scheme.defaultUrl.includes("//")) {
    if (weaker) return name;
    throw refused(address, `The ${scheme.name} broker has no address`);
  }
  if (prefix === undefined) return `${scheme.scheme}://${hostAndPort(address, scheme.scheme)}`;
  if (weaker) return name;
  if (address.rank === broker?.rank) throw refused(address, `${broker.source} is a URL, which names its address`);
  return `${prefix}${credentials}${hostAndPort(address, scheme.scheme)}${path}`;
}

/** Checks an address. A port alone is one of this host; go-micro's users may write an address as a URL of the same scheme. */
function hostAndPort({ source, value }: Ranked<string>, scheme: string): string {
  const prefix = `${scheme}://`;
  const bare = value.startsWith(prefix) ? value.slice(prefix.length) : value;
  const address = PORT_ALONE.test(bare) ? `127.0.0.1:${bare}` : bare;
  const port = Number(/:(\d+)$/.exec(address)?.[1] ?? 0);
  if (ADDRESS.test(address) && port <= MAX_PORT) return address;
  throw invalidValue(source, SETTINGS.brokerAddress.parser.allowed, value);
}

function refused({ source }: Ranked<string>, reason: string): BrokerError {
  return new BrokerError("ERR_INVALID_OPTION", `${reason}: leave ${source} out.`);
}
