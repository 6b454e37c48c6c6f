import type { BrokerOptions } from "./broker-options.ts";
import type { Driver } from "./driver.ts";
import type { SurveyOptions } from "./drivers/http/index.ts";
import { BrokerError } from "./errors.ts";
import { masked } from "./internal/masked.ts";
import type { Registry, Service } from "./registry.ts";

/** A URL scheme and the driver behind it. */
export interface Scheme {
  /** As in the URL, without the colon. */
  readonly scheme: string;
  /** The broker's name; `--broker` and `TIDINGS_BROKER` take it in place of a URL. */
  readonly name: string;
  /** The URL that the name alone stands for. */
  readonly defaultUrl: string;
  /** Opens the driver; loaded when the broker connects. */
  open(url: string, options: BrokerOptions): Promise<Driver>;
}

/** Every URL scheme, and the lazy import of its driver: the one table to add a driver to. */
export const SCHEMES: readonly Scheme[] = [
  {
    scheme: "http",
    name: "http",
    defaultUrl: "http://127.0.0.1:0",
    open: async (url, options) => (await import("./drivers/http/index.ts")).open(url, options),
  },
  {
    scheme: "memory",
    name: "memory",
    defaultUrl: "memory:",
    open: async (url, options) => (await import("./drivers/memory/index.ts")).open(url, options),
  },
  {
    scheme: "nats",
    name: "nats",
    defaultUrl: "nats://127.0.0.1:4222",
    open: async (url, options) => (await import("./drivers/nats/index.ts")).open(url, options),
  },
  {
    scheme: "nats+core",
    name: "nats+core",
    defaultUrl: "nats+core://127.0.0.1:4222",
    open: async (url, options) => (await import("./drivers/nats/index.ts")).open(url, options),
  },
  {
    scheme: "amqp",
    name: "rabbitmq",
    defaultUrl: "amqp://127.0.0.1:5672",
    open: async (url, options) => (await import("./drivers/rabbitmq/index.ts")).open(url, options),
  },
  {
    scheme: "amqps",
    name: "rabbitmq",
    defaultUrl: "amqps://127.0.0.1:5671",
    open: async (url, options) => (await import("./drivers/rabbitmq/index.ts")).open(url, options),
  },
];

/**
 * What the live brokers that a registry names tell of their subscriptions, as records of services: the HTTP broker tells its
 * peers, and not the registry.
 * @param options the peers' own, where they have a secret or certificates
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export async function surveyPeers(registry: Registry, options: SurveyOptions = {}): Promise<Service[]> {
  return (await import("./drivers/http/index.ts")).surveyPeers(registry, options);
}

/**
 * The scheme of a URL, or of a driver's name.
 * @throws BrokerError `ERR_INVALID_OPTION` that lists the known ones
 */
export function findScheme(urlOrName: string): { readonly scheme: Scheme; readonly url: string } {
  const byName = SCHEMES.find(({ name, scheme }) => urlOrName === name || urlOrName === scheme);
  if (byName !== undefined) return { scheme: byName, url: byName.defaultUrl };
  const prefix = /^([a-z][a-z0-9+.-]*):/i.exec(urlOrName)?.[1]?.toLowerCase();
  const byScheme = SCHEMES.find(({ scheme }) => scheme === prefix);
  if (byScheme !== undefined) return { scheme: byScheme, url: urlOrName };
  const known = SCHEMES.map(({ scheme }) => `${scheme}:`).join(", ");
  const names = [...new Set(SCHEMES.map(({ name }) => name))].join(", ");
  throw new BrokerError(
    "ERR_INVALID_OPTION",
    `Unknown broker ${JSON.stringify(masked(urlOrName))}. Known URLs begin with ${known}; known names are ${names}.`,
  );
}
