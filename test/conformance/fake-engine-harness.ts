import type { Driver } from "../../src/driver.ts";
import { memoryCapabilities } from "../../src/drivers/memory/index.ts";
import type { ConformanceHarness } from "../../src/testing/index.ts";
import { FakeNetwork } from "./fake-network.ts";
import { memoryHarness } from "./memory-harness.ts";

/** What a driver that breaks a promise may look at. */
export interface FakeEngine {
  /** What lies between the newest driver and the engine. */
  readonly network: FakeNetwork;
  /** Whether the engine hangs. */
  readonly paused: boolean;
  /** Topics whose topology was removed. */
  readonly removed: ReadonlySet<string>;
}

/** A memory driver over lines that can break, and the engine at their other end. `around` breaks a promise. */
export async function fakeEngineHarness(
  around: (driver: Driver, engine: FakeEngine) => Driver = (driver) => driver,
): Promise<ConformanceHarness> {
  const direct = new FakeNetwork();
  const engine = { network: direct, paused: false, removed: new Set<string>() };
  const memory = await memoryHarness((driver) => around(engine.network.attach(driver), engine));
  const over = (network: FakeNetwork): ConformanceHarness["unconnected"] => {
    return (options) => {
      engine.network = network;
      return memory.unconnected(options);
    };
  };
  const unconnected = over(direct);
  return {
    ...memory,
    name: "fake engine",
    capabilities: { ...memoryCapabilities, durable: true },
    unconnected,
    async open(options) {
      const broker = unconnected(options);
      await broker.connect();
      return broker;
    },
    refused(options) {
      const network = new FakeNetwork();
      network.refusesCredentials = true;
      return over(network)(options);
    },
    unreachable(options) {
      const network = new FakeNetwork();
      void network.refuse();
      return over(network)(options);
    },
    engine: {
      async restart() {
        await direct.refuse();
        direct.cut();
        await direct.accept();
      },
      async kill() {
        await direct.refuse();
        direct.cut();
      },
      startAgain: () => direct.accept(),
      cutConnections: () => direct.cut(),
      pause() {
        engine.paused = true;
        direct.pause();
      },
      resume() {
        engine.paused = false;
        direct.resume();
      },
    },
    async proxied() {
      const proxy = new FakeNetwork();
      return { proxy, unconnected: over(proxy), close: () => {} };
    },
    async removeTopology(topic) {
      // The memory engine gives its members a new queue at once, as a driver of a real one must.
      engine.removed.add(topic);
    },
  };
}
