import type { BrokerOptions } from "../../broker-options.ts";
import { brokerTarget, type Ranked } from "./broker-target.ts";
import { findValue, RANK } from "./find-value.ts";
import { type GivenFlags, parseFlags } from "./parse-flags.ts";
import type { Environment } from "./setting.ts";
import { SETTINGS, type SettingKey, type SettingValues } from "./table.ts";
import { readTlsFiles, type TlsTexts } from "./tls-files.ts";

/** The options of a broker that can be set from outside; only those that were. */
interface OutsideBrokerOptions
  extends Pick<BrokerOptions, "registryAddress" | "wire" | "storage" | "secret" | "secure" | "drainTimeoutMs"> {
  /** The name of a registry. */
  registry?: string;
  /** What is in the files that were named. */
  tls?: TlsTexts;
}

/** What environment and flags come to; only what was given. */
export interface Settings {
  /** What `createBroker` takes. */
  readonly broker?: string;
  readonly brokerOptions: OutsideBrokerOptions;
  /** The service's name. */
  readonly name?: string;
  readonly version?: string;
  readonly id?: string;
  readonly metadata?: Record<string, string>;
  readonly registerTtlMs?: number;
  readonly registerIntervalMs?: number;
}

/** Settings, and what else was on the command line. */
export interface ResolvedSettings {
  readonly settings: Settings;
  /** The program's own arguments, in their order; `--help` and `--` stay among them. */
  readonly rest: readonly string[];
  /** Whether `--help` is there. Nothing else was read then: a wrong value must not hide the help. */
  readonly help: boolean;
}

/** What the code says, where it matters to what comes from outside. */
export interface CodeSettings {
  /** The broker's URL or name: an address from outside is its address then. */
  readonly broker?: string | undefined;
}

/**
 * The settings of a service: flags win over `TIDINGS_*`, which win over go-micro's `MICRO_*`. An empty variable counts as not
 * set.
 * @param argv the arguments, without node and the program
 * @throws BrokerError `ERR_INVALID_OPTION` that names the flag or variable, the value (not of a secret) and what is allowed
 */
export function resolveSettings(argv: readonly string[], env: Environment, code: CodeSettings = {}): ResolvedSettings {
  const { flags, rest, help } = parseFlags(argv);
  const settings = help ? { brokerOptions: {} } : settle(flags, env, code, () => true);
  return { settings, rest, help };
}

/**
 * The settings that every program of Tidings has, from flags that were parsed already: those of the broker, not of a service.
 * @throws BrokerError as {@link resolveSettings}
 */
export function resolveBrokerSettings(flags: GivenFlags, env: Environment): Settings {
  return settle(flags, env, {}, (key) => SETTINGS[key].of === "broker");
}

function settle(
  flags: GivenFlags,
  env: Environment,
  code: CodeSettings,
  isWanted: (key: SettingKey) => boolean,
): Settings {
  const find = <Key extends SettingKey>(key: Key): Ranked<SettingValues[Key]> | undefined =>
    isWanted(key) ? findValue(key, flags, env) : undefined;
  const broker = brokerOf(find("broker"), find("brokerAddress"), code);
  const brokerOptions = onlyGiven({
    registry: find("registry")?.value,
    registryAddress: find("registryAddress")?.value,
    wire: find("wire")?.value,
    storage: find("storage")?.value,
    secret: find("secret")?.value,
    secure: find("secure")?.value,
    tls: readTlsFiles({ ca: find("tlsCaFile"), cert: find("tlsCertFile"), key: find("tlsKeyFile") }),
    drainTimeoutMs: find("drainTimeoutMs")?.value,
  });
  const service = onlyGiven({
    broker,
    name: find("serverName")?.value,
    version: find("serverVersion")?.value,
    id: find("serverId")?.value,
    metadata: find("serverMetadata")?.value,
    registerTtlMs: find("registerTtlMs")?.value,
    registerIntervalMs: find("registerIntervalMs")?.value,
  });
  return { ...service, brokerOptions };
}

/** An address alone is that of the broker that the code names. */
function brokerOf(
  broker: Ranked<string> | undefined,
  address: Ranked<string> | undefined,
  code: CodeSettings,
): string | undefined {
  if (broker !== undefined || address === undefined || code.broker === undefined) return brokerTarget(broker, address);
  return brokerTarget({ value: code.broker, rank: RANK.code, source: "the broker in the code" }, address);
}

type Given<Values> = { -readonly [Key in keyof Values]?: Exclude<Values[Key], undefined> };

function onlyGiven<Values extends object>(values: Values): Given<Values> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<Values>;
}
