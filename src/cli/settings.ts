import type { BrokerOptions } from "../broker-options.ts";
import { BrokerError } from "../errors.ts";
import { brokerTarget, type Ranked } from "./broker-target.ts";
import type { Environment } from "./terminal.ts";

/** The flags that every command takes, as commander names them. */
export interface SharedFlags {
  readonly broker?: string;
  readonly brokerAddress?: string;
  readonly registry?: string;
  readonly registryAddress?: string;
  readonly wire?: string;
  readonly storage?: string;
}

/** What flags and environment come to. */
export interface Settings {
  /** What `createBroker` takes; `undefined`: its default. */
  readonly broker: string | undefined;
  readonly registry: string | undefined;
  readonly registryAddress: string | undefined;
  readonly wire: NonNullable<BrokerOptions["wire"]> | undefined;
  readonly storage: string | undefined;
}

/** Where each setting may come from, the strongest first. go-micro's own variables are the last. */
const SOURCES = {
  broker: ["--broker", "TIDINGS_BROKER", "MICRO_BROKER"],
  brokerAddress: ["--broker-address", "TIDINGS_BROKER_ADDRESS", "MICRO_BROKER_ADDRESS"],
  registry: ["--registry", "TIDINGS_REGISTRY", "MICRO_REGISTRY"],
  registryAddress: ["--registry-address", "TIDINGS_REGISTRY_ADDRESS", "MICRO_REGISTRY_ADDRESS"],
  wire: ["--wire", "TIDINGS_WIRE"],
  storage: ["--storage", "TIDINGS_STORAGE"],
} as const satisfies Record<keyof SharedFlags, readonly [string, ...string[]]>;

/**
 * Resolves the shared settings: flags win over `TIDINGS_*`, which wins over go-micro's `MICRO_*`. An empty variable counts as
 * not set.
 * @throws BrokerError `ERR_INVALID_OPTION`, also for a flag that carries a password: other users of the host can read it
 */
export function resolveSettings(flags: SharedFlags, env: Environment): Settings {
  const pick = (setting: keyof SharedFlags): Ranked | undefined => {
    const [flag, ...variables] = SOURCES[setting];
    const given = flags[setting];
    if (given !== undefined) {
      if (given === "") throw new BrokerError("ERR_INVALID_OPTION", `${flag} is empty.`);
      if (/\/\/[^/]*@/.test(given))
        throw new BrokerError(
          "ERR_INVALID_OPTION",
          `${flag} holds a user or password, which others can see: set ${variables[0]} in the environment.`,
        );
      return { value: given, rank: 0 };
    }
    for (const [index, variable] of variables.entries()) {
      const value = env[variable];
      if (value !== undefined && value !== "") return { value, rank: index + 1 };
    }
    return undefined;
  };
  return {
    broker: brokerTarget(pick("broker"), pick("brokerAddress")),
    registry: pick("registry")?.value,
    registryAddress: pick("registryAddress")?.value,
    wire: wireOf(pick("wire")?.value),
    storage: pick("storage")?.value,
  };
}

function wireOf(value: string | undefined): Settings["wire"] {
  if (value === undefined || value === "tidings" || value === "go-micro") return value;
  throw new BrokerError("ERR_INVALID_OPTION", `Unknown wire ${JSON.stringify(value)}. Known ones: tidings, go-micro.`);
}
