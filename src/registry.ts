/**
 * The registry contract: who offers what, and where. Peers of the HTTP broker find each other through it, and services
 * register themselves in it. The records are go-micro's: services with versions, nodes, endpoints and metadata.
 */

/** One version of a service, with the nodes that run it. */
export interface Service {
  readonly name: string;
  readonly version: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly endpoints: readonly Endpoint[];
  readonly nodes: readonly Node[];
}

/** One running instance. `id` is opaque and unique within the registry. */
export interface Node {
  readonly id: string;
  /** `host:port`; an IPv6 host in brackets. Empty for a record that no process answers for. */
  readonly address: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Something that a service can be asked for, or that it subscribes to. */
export interface Endpoint {
  readonly name: string;
  readonly request: Value | null;
  readonly response: Value | null;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The shape of a request or response, as go-micro describes it. */
export interface Value {
  readonly name: string;
  readonly type: string;
  readonly values: readonly Value[] | null;
}

/** A change that a watcher sees. `service` has the nodes concerned, and only those. */
export interface RegistryEvent {
  readonly action: "create" | "update" | "delete";
  readonly service: Service;
}

/** Options of {@link Registry.register}. */
export interface RegisterOptions {
  /** How long the record holds without being registered again, in milliseconds. Default 60,000. */
  ttlMs?: number;
  /** The record outlives this process: only its TTL or `deregister`, by anybody, ends it. Default false. */
  standing?: boolean;
}

/** Ends a watch. Idempotent; after `close` the listener is not called again. */
export interface Watcher {
  close(): void;
}

/**
 * A registry. Everything may be called concurrently. It holds no resource of its own beyond its watchers and the records
 * it registered: when those are gone, nothing of it keeps the process alive.
 * Failures reject with `BrokerError` `ERR_REGISTRY` (`retryable` where trying again may help).
 */
export interface Registry {
  /** Short name, such as `"local"`. */
  readonly name: string;
  /** Whether go-micro processes may use the same registry: `wire` then defaults to `"go-micro"`. */
  readonly sharedWithGoMicro: boolean;
  /**
   * Adds the nodes of one service version, or refreshes them; nodes of the same ids are replaced. When it resolves, every
   * `getService` and `listServices` that starts later, in any process, sees them.
   */
  register(service: Service, options?: RegisterOptions): Promise<void>;
  /** Removes the nodes (by id) of one service version. Unknown ones are ignored. */
  deregister(service: Service): Promise<void>;
  /** Every live version of a service; an empty list when there is none. */
  getService(name: string): Promise<Service[]>;
  /** Every live service, with nodes where the registry has them at hand. */
  listServices(): Promise<Service[]>;
  /**
   * Calls `listener` for every change, of one service name or of all. When it resolves, every later change is seen:
   * watch first, then look up, and nothing falls between. A record that expires, or whose process is gone, is a `delete`.
   */
  watch(listener: (event: RegistryEvent) => void, options?: { service?: string }): Promise<Watcher>;
  /**
   * A secret that all processes allowed to use this registry share, and nobody else can read; `undefined` where the
   * registry has none. At least 32 random bytes.
   */
  secret?(): Promise<Uint8Array | undefined>;
}

/** The default TTL of a record, as in go-micro: 60 s. */
export const DEFAULT_TTL_MS = 60_000;

/** How often a record is registered again, as in go-micro: every 30 s. */
export const DEFAULT_REGISTER_INTERVAL_MS = 30_000;
