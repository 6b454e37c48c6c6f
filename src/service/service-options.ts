import type { Broker } from "../broker.ts";
import type { BrokerOptions, SubscribeOptions } from "../broker-options.ts";
import { type Check, check, checkOptions, resolveSubscribeOptions } from "../check-options.ts";
import type { Codec } from "../codec.ts";
import type { Driver } from "../driver.ts";
import { BrokerError } from "../errors.ts";
import type { Registry } from "../registry.ts";

/** What runs before or after the service starts or stops. Several run one after another, in order. */
export type Hook = () => unknown;

/** Options of {@link createService}. `init` lets environment and flags override most: `docs/configuration.md` lists them. */
export interface ServiceOptions {
  /** The service's name in the registry, such as `"billing"`. */
  name: string;
  /** Its version in the registry. Default `"latest"`. */
  version?: string;
  /** Which instance this is; its node in the registry is `<name>-<id>`. Default a new UUID. */
  id?: string;
  /** What else the registry shows of this node. */
  metadata?: Readonly<Record<string, string>>;
  /**
   * The broker: a URL, a name, a driver, or a broker that several services share; the last of them to stop closes it.
   * Default: what `createBroker()` takes.
   */
  broker?: string | Driver | Broker;
  /** Options of the broker that the service makes. Not together with a broker made already. */
  brokerOptions?: BrokerOptions;
  /** Where the service registers: a registry, or the name of one. Default the broker's option, then `local`, or nowhere outside the process for a memory broker. */
  registry?: Registry | string;
  /** Codecs beside JSON, text and bytes, by their content types. The broker's option `codec` is the standard one. */
  codecs?: readonly Codec[];
  /** How long the record in the registry holds, in milliseconds. Default 60,000. */
  registerTtlMs?: number;
  /** How often it is refreshed, and `registerCheck` called, in milliseconds. Default 30,000. */
  registerIntervalMs?: number;
  /** Whether the service is well; false or an error takes it out of the registry until it is again. */
  registerCheck?: () => boolean | undefined | Promise<boolean | undefined>;
  /** Run before the broker connects; an error fails the start. */
  beforeStart?: Hook | readonly Hook[];
  /** Run when everything is subscribed and registered; an error fails the start. */
  afterStart?: Hook | readonly Hook[];
  /** Run before the service leaves the registry. */
  beforeStop?: Hook | readonly Hook[];
  /** Run when everything is drained and closed. */
  afterStop?: Hook | readonly Hook[];
  /** Called with every error that no call returns. Default the broker's hook, then the log. */
  onError?: (error: BrokerError) => void;
}

/** Options of `service.subscribe`: those of the broker, but for `autoAck`, since a service settles by return and error. */
export interface ServiceSubscribeOptions extends Omit<SubscribeOptions, "autoAck"> {
  /** Which methods of an object handle the message. Default: all of its own class. */
  methods?: readonly string[];
  /** Codecs of this subscription, before the service's: such as one for the protobuf type of its topic. */
  codecs?: readonly Codec[];
}

const hooks: Check = (value) =>
  [value].flat().every((hook) => typeof hook === "function") ? undefined : "a function, or a list of functions";

const texts: Check = (value) =>
  typeof value === "object" && value !== null && Object.values(value).every((text) => typeof text === "string")
    ? undefined
    : "an object of strings";

const textOr =
  (other: Check): Check =>
  (value) =>
    typeof value === "string" ? check.text(value) : other(value);

const table: Readonly<Record<keyof ServiceOptions, Check>> = {
  name: check.text,
  version: check.text,
  id: check.text,
  metadata: texts,
  broker: textOr(check.object),
  brokerOptions: check.object,
  registry: textOr(check.object),
  codecs: (value) => (Array.isArray(value) ? undefined : "a list of codecs"),
  registerTtlMs: check.positiveMs,
  registerIntervalMs: check.positiveMs,
  registerCheck: check.call,
  beforeStart: hooks,
  afterStart: hooks,
  beforeStop: hooks,
  afterStop: hooks,
  onError: check.call,
};

/**
 * Checks the options of a service.
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export function checkServiceOptions(options: ServiceOptions): void {
  checkOptions({ ...options, name: options?.name ?? "" }, table, "a service");
}

/**
 * Checks the options of a service's subscription, before there is a broker that could.
 * @throws BrokerError `ERR_INVALID_OPTION`, `ERR_INVALID_TOPIC`
 */
export function checkServiceSubscribeOptions(options: SubscribeOptions): void {
  if (options.autoAck !== undefined)
    throw new BrokerError("ERR_INVALID_OPTION", "A service settles by return and error: it has no option autoAck.");
  resolveSubscribeOptions(options, 0);
}

/** Runs hooks one after another; rejects with what the first that fails throws. */
export async function runHooks(hooks: Hook | readonly Hook[] | undefined): Promise<void> {
  for (const hook of hooks === undefined ? [] : [hooks].flat()) await hook();
}
