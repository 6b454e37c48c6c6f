import type { BrokerOptions } from "../../broker-options.ts";
import { DEFAULT_REGISTER_INTERVAL_MS, DEFAULT_TTL_MS } from "../../registry.ts";
import { brokerName, milliseconds, oneOf, oneOfNow, pairs, seconds, text, yesOrNo } from "./parsers.ts";
import type { Setting } from "./setting.ts";

/** The value of each setting. */
export interface SettingValues {
  broker: string;
  brokerAddress: string;
  registry: string;
  registryAddress: string;
  wire: NonNullable<BrokerOptions["wire"]>;
  storage: string;
  secret: string;
  secure: boolean;
  tlsCaFile: string;
  tlsCertFile: string;
  tlsKeyFile: string;
  serverName: string;
  serverVersion: string;
  serverId: string;
  serverMetadata: Record<string, string>;
  registerTtlMs: number;
  registerIntervalMs: number;
  drainTimeoutMs: number;
}

/** The key of a setting in {@link SETTINGS}: its name in camel case. */
export type SettingKey = keyof SettingValues;

type Row<Value> = Omit<Setting<Value>, "name" | "flag" | "variable">;

/** Every setting that a service and the command line take from outside: the one table to add a setting to. */
export const SETTINGS: { readonly [Key in SettingKey]: Setting<SettingValues[Key]> } = {
  broker: setting("broker", {
    of: "broker",
    micro: { variable: "MICRO_BROKER" },
    placeholder: "name|url",
    help: "the broker: a name such as http, nats or rabbitmq, or a URL",
    parser: brokerName,
  }),
  brokerAddress: setting("broker-address", {
    of: "broker",
    micro: { variable: "MICRO_BROKER_ADDRESS" },
    placeholder: "host:port",
    help: "its address, such as 127.0.0.1:4222; a port alone is one of this host",
    parser: text("host:port, such as 127.0.0.1:4222, or a port"),
  }),
  registry: setting("registry", {
    of: "broker",
    micro: { variable: "MICRO_REGISTRY" },
    placeholder: "name",
    help: "where peers and services are found (default: local)",
    // The names that registries/by-name.ts knows; a test holds the two together.
    parser: oneOfNow(["local", "memory", "mdns"], ["nats", "etcd", "consul"]),
  }),
  registryAddress: setting("registry-address", {
    of: "broker",
    micro: { variable: "MICRO_REGISTRY_ADDRESS" },
    placeholder: "address",
    help: "its address; of local, its folder; of mdns, addresses of interfaces",
    parser: text("an address, or of the registry local a folder"),
  }),
  wire: setting("wire", {
    of: "broker",
    placeholder: "name",
    help: "tidings, or go-micro to reach go-micro peers as well (default: by registry)",
    parser: oneOf("tidings", "go-micro"),
  }),
  storage: setting("storage", {
    of: "broker",
    placeholder: "folder",
    help: "a folder that keeps the outbox on disk (default: it is in memory)",
    parser: text("a folder"),
  }),
  secret: {
    name: "secret",
    flag: undefined,
    variable: "TIDINGS_SECRET",
    fileVariable: "TIDINGS_SECRET_FILE",
    of: "broker",
    placeholder: "secret",
    help: "a secret that all peers share, or the file that holds it",
    parser: text("a secret"),
  },
  secure: setting("secure", {
    of: "broker",
    placeholder: "true|false",
    help: "whether to encrypt, with certificates made at start (default: false)",
    parser: yesOrNo,
  }),
  tlsCaFile: setting("tls-ca-file", {
    of: "broker",
    placeholder: "file",
    help: "TLS: the authority that the other side's certificate must come from, as PEM",
    parser: text("a file"),
  }),
  tlsCertFile: setting("tls-cert-file", {
    of: "broker",
    placeholder: "file",
    help: "TLS: this process's certificate, with its chain, as PEM",
    parser: text("a file"),
  }),
  tlsKeyFile: setting("tls-key-file", {
    of: "broker",
    placeholder: "file",
    help: "TLS: the key of that certificate, as PEM",
    parser: text("a file"),
  }),
  serverName: setting("server-name", {
    of: "service",
    micro: { variable: "MICRO_SERVER_NAME" },
    placeholder: "name",
    help: "the service's name in the registry",
    parser: text("a name"),
  }),
  serverVersion: setting("server-version", {
    of: "service",
    micro: { variable: "MICRO_SERVER_VERSION" },
    placeholder: "version",
    help: "its version",
    parser: text("a version"),
  }),
  serverId: setting("server-id", {
    of: "service",
    micro: { variable: "MICRO_SERVER_ID" },
    placeholder: "id",
    help: "the id of this instance (default: a new one each time)",
    parser: text("an id"),
  }),
  serverMetadata: setting("server-metadata", {
    of: "service",
    micro: { variable: "MICRO_SERVER_METADATA" },
    placeholder: "k=v,k=v",
    help: "what else the registry shows of it; may be given several times",
    repeatable: true,
    parser: pairs,
  }),
  registerTtlMs: setting("register-ttl-ms", {
    of: "service",
    micro: { variable: "MICRO_REGISTER_TTL", parser: seconds(1) },
    placeholder: "ms",
    help: `how long a registration holds unless it is renewed (default: ${DEFAULT_TTL_MS})`,
    parser: milliseconds(1),
  }),
  registerIntervalMs: setting("register-interval-ms", {
    of: "service",
    micro: { variable: "MICRO_REGISTER_INTERVAL", parser: seconds(1) },
    placeholder: "ms",
    help: `how often it is renewed (default: ${DEFAULT_REGISTER_INTERVAL_MS})`,
    parser: milliseconds(1),
  }),
  drainTimeoutMs: setting("drain-timeout-ms", {
    of: "service",
    placeholder: "ms",
    help: "how long stopping waits for what is running (default: 10000)",
    parser: milliseconds(0),
  }),
};

/** The keys of {@link SETTINGS}, in its order. */
export const SETTING_KEYS: readonly SettingKey[] = Object.keys(SETTINGS) as SettingKey[];

/** A setting whose flag and variable follow from its name. */
function setting<Value>(name: string, row: Row<Value>): Setting<Value> {
  return { name, flag: `--${name}`, variable: `TIDINGS_${name.toUpperCase().replaceAll("-", "_")}`, ...row };
}
