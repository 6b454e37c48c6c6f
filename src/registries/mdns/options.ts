import { isIP } from "node:net";
import { check, checkOptions } from "../../check-options.ts";
import { BrokerError } from "../../errors.ts";
import { DEFAULT_DOMAIN, isServiceName } from "./names.ts";

/** Options of {@link mdns}. */
export interface MdnsOptions {
  /** The domain of names. Default `micro`, as in go-micro since version 1.10; `local` in older ones. */
  domain?: string;
  /**
   * How long a look-up waits for answers, in milliseconds; it waits that long every time, since nobody knows who else will
   * answer. Default 200; go-micro waits 100.
   */
  lookupMs?: number;
  /** Addresses of the interfaces to use, such as `["192.168.1.5"]`. Default: all, as they come and go. */
  interfaces?: readonly string[];
  /** How often a watch asks everybody anew, in milliseconds: who has not answered for 2.5 times that is gone. Default 15,000. */
  sweepMs?: number;
}

const addresses = (value: unknown): string | undefined =>
  Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === "string" && isIP(one) !== 0)
    ? undefined
    : "a list of IP addresses";

const table: Readonly<Record<keyof MdnsOptions, (value: unknown) => string | undefined>> = {
  domain: check.text,
  lookupMs: check.positiveMs,
  interfaces: addresses,
  sweepMs: check.positiveMs,
};

/** Default of {@link MdnsOptions.lookupMs}, in milliseconds. */
const DEFAULT_LOOKUP_MS = 200;

/** Default of {@link MdnsOptions.sweepMs}, in milliseconds. */
const DEFAULT_SWEEP_MS = 15_000;

/** The options with their defaults. */
export interface ResolvedMdnsOptions {
  readonly domain: string;
  readonly lookupMs: number;
  readonly interfaces: readonly string[] | undefined;
  readonly sweepMs: number;
}

/**
 * Checks the options of `mdns()`, and fills in the defaults.
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export function resolveMdnsOptions(options: MdnsOptions): ResolvedMdnsOptions {
  checkOptions(options, table, "the mDNS registry");
  const { domain = DEFAULT_DOMAIN, lookupMs = DEFAULT_LOOKUP_MS, interfaces, sweepMs = DEFAULT_SWEEP_MS } = options;
  if (!isServiceName("x", domain))
    throw new BrokerError("ERR_INVALID_OPTION", `domain ${JSON.stringify(domain)} is not a name that DNS can hold.`);
  return { domain, lookupMs, interfaces: interfaces === undefined ? undefined : [...interfaces], sweepMs };
}
