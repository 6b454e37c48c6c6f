import { BrokerError } from "../errors.ts";
import type { Registry } from "../registry.ts";

interface NamedRegistry {
  readonly name: string;
  open(address: string | undefined): Promise<Registry>;
}

/** Names of go-micro's registries that later versions are to have: known, and refused with words of their own. */
const PLANNED: readonly string[] = ["nats", "etcd", "consul"];

/** Every registry that a name stands for, with its lazy import: the one table to add a registry to. */
const REGISTRIES: readonly NamedRegistry[] = [
  {
    name: "local",
    open: async (folder) => (await import("./local/index.ts")).local(folder === undefined ? {} : { folder }),
  },
  { name: "memory", open: async () => (await import("./memory.ts")).memory() },
  {
    name: "mdns",
    open: async (address) =>
      (await import("./mdns/index.ts")).mdns(address === undefined ? {} : { interfaces: address.split(",") }),
  },
];

/**
 * Opens the registry that a name stands for.
 * @param address where it is: the folder of `local`; for `mdns` the addresses of the interfaces to use, divided by commas.
 * @throws BrokerError `ERR_INVALID_OPTION` for an unknown name, `ERR_UNSUPPORTED` for one that this version lacks
 */
export async function registryByName(name: string, address?: string): Promise<Registry> {
  const found = REGISTRIES.find((registry) => registry.name === name);
  if (found !== undefined) return found.open(address);
  if (PLANNED.includes(name)) {
    throw new BrokerError(
      "ERR_UNSUPPORTED",
      `This version of Tidings has no registry named ${name}. It has: local, memory, mdns, and static in code.`,
    );
  }
  throw new BrokerError(
    "ERR_INVALID_OPTION",
    `Unknown registry ${JSON.stringify(name)}. Known ones: ${REGISTRIES.map((registry) => registry.name).join(", ")}.`,
  );
}

/**
 * The registry that an option means: one given, or one by name.
 * @throws BrokerError as `registryByName`
 */
export async function openRegistry(registry: Registry | string, address: string | undefined): Promise<Registry> {
  return typeof registry === "string" ? registryByName(registry, address) : registry;
}
