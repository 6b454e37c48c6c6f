import { BrokerError } from "tidings";
import type { Engine } from "../../test/support/engines/engine.ts";
import { type EngineName, missingEngine } from "../../test/support/engines/engine-programs.ts";
import { startNats } from "../../test/support/engines/nats.ts";
import { startRabbitmq } from "../../test/support/engines/rabbitmq.ts";
import { type FaultProxy, faultProxy } from "../../test/support/fault-proxy.ts";
import type { Target } from "../troubles/trouble.ts";
import type { Rig } from "./rig.ts";

/** How the private engine of a broker is started. */
const PRIVATE: Readonly<
  Record<string, { readonly name: EngineName; readonly scheme: string; start(): Promise<Engine> }>
> = {
  nats: { name: "nats", scheme: "nats:", start: () => startNats() },
  "nats+core": { name: "nats", scheme: "nats+core:", start: () => startNats({ jetstream: false }) },
  rabbitmq: { name: "rabbitmq", scheme: "amqp:", start: () => startRabbitmq() },
};

const DEFAULT_PORTS: Readonly<Record<string, number>> = { "nats:": 4222, "nats+core:": 4222, "amqp:": 5672 };

/**
 * Starts a private engine of a broker. It is troubled with the rest.
 * @throws BrokerError `ERR_UNSUPPORTED` where chaos knows no way to start one, `ERR_MISSING_DEPENDENCY` where its program is
 * not installed, `ERR_CONNECT_FAILED` where it does not start
 */
export async function privateEngineRig(broker: string): Promise<Rig> {
  const known = PRIVATE[broker];
  if (known === undefined) {
    const names = Object.keys(PRIVATE).join(", ");
    throw new BrokerError("ERR_UNSUPPORTED", `chaos starts engines for ${names}: for ${broker} give --broker-address.`);
  }
  const missing = missingEngine(known.name, { own: true });
  if (missing !== undefined) throw new BrokerError("ERR_MISSING_DEPENDENCY", `No engine for ${broker}: ${missing}`);
  const engine = await known.start().catch((cause: Error) => {
    throw new BrokerError("ERR_CONNECT_FAILED", `No engine for ${broker}: ${cause.message}`, { cause });
  });
  const url = engine.url.replace(/^[^:]+:/, known.scheme);
  const proxies = new Proxies(engine);
  return {
    ...proxies.rig(broker, url),
    engine: new EngineTarget(engine, proxies),
    async close() {
      await proxies.close();
      await engine.stop();
    },
  };
}

/**
 * An engine that somebody else runs: only the connections to it are cut, by proxies.
 * @param cuts whether connections are to be cut; without, nobody stands between
 * @throws BrokerError `ERR_UNSUPPORTED` for connections that a proxy cannot stand in for: TLS, and several servers
 */
export function foreignEngineRig(broker: string, url: string, cuts: boolean): Rig {
  if (!cuts) {
    const cut = async (): Promise<number> => 0;
    const rest = {
      keptBy: "engine",
      engine: undefined,
      cut,
      cutHow: "not at all",
      close: async () => undefined,
    } as const;
    return { broker, urlOf: async () => url, directUrl: url, ...rest };
  }
  const there = url.includes(",") ? undefined : new URL(url);
  const defaultPort = DEFAULT_PORTS[there?.protocol ?? ""];
  if (there === undefined || defaultPort === undefined) {
    throw new BrokerError(
      "ERR_UNSUPPORTED",
      "No proxy can stand before several servers or TLS: give --cuts 0, or the plain URL of one server.",
    );
  }
  return new Proxies({ host: there.hostname, port: Number(there.port || defaultPort) }).rig(broker, url);
}

/** A proxy for each process, in front of an engine. */
class Proxies {
  readonly #engine: { readonly host: string; readonly port: number };
  readonly #byProcess = new Map<string, Promise<FaultProxy>>();

  constructor(engine: { readonly host: string; readonly port: number }) {
    this.#engine = engine;
  }

  rig(broker: string, url: string): Rig {
    return {
      broker,
      urlOf: async (name) => (await this.#of(name)).through(url),
      directUrl: url,
      keptBy: "engine",
      engine: undefined,
      cut: async (name) => (await this.#of(name)).cut(),
      cutHow: "by a proxy before the engine",
      close: () => this.close(),
    };
  }

  /** Breaks the connections of all processes. */
  async cutAll(): Promise<number> {
    const counts = (await Promise.all(this.#byProcess.values())).map((proxy) => proxy.cut());
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async close(): Promise<void> {
    for (const proxy of this.#byProcess.values()) await (await proxy).close();
  }

  #of(name: string): Promise<FaultProxy> {
    const found = this.#byProcess.get(name) ?? faultProxy(this.#engine);
    this.#byProcess.set(name, found);
    return found;
  }
}

/** The private engine, as something to trouble. */
class EngineTarget implements Target {
  readonly name = "engine";
  readonly #engine: Engine;
  readonly #proxies: Proxies;
  #state: "up" | "paused" | "down" = "up";

  constructor(engine: Engine, proxies: Proxies) {
    this.#engine = engine;
    this.#proxies = proxies;
  }

  get running(): boolean {
    return this.#state !== "down";
  }

  get up(): boolean {
    return this.#state === "up";
  }

  async kill(): Promise<void> {
    this.#state = "down";
    await this.#engine.kill();
  }

  async start(): Promise<void> {
    await this.#engine.startAgain();
    this.#state = "up";
  }

  pause(): void {
    this.#engine.pause();
    this.#state = "paused";
  }

  resume(): void {
    // It may have been killed meanwhile: then nothing is paused any more.
    if (this.#state !== "paused") return;
    this.#engine.resume();
    this.#state = "up";
  }

  cut(): Promise<number> {
    return this.#proxies.cutAll();
  }
}
