import { createBroker } from "../../src/create-broker.ts";
import type { Driver } from "../../src/driver.ts";
import { memory, memoryCapabilities } from "../../src/drivers/memory/index.ts";
import { BrokerError } from "../../src/errors.ts";
import { silentLogger } from "../../src/logger.ts";
import { type ConformanceHarness, createFaults, withFaults } from "../../src/testing/index.ts";

let engines = 0;

/**
 * A harness on the memory driver. `around` may put something between the driver and its brokers, such as a wrapper that
 * breaks a promise; faults act below it, on the driver itself.
 */
export async function memoryHarness(
  around: (driver: Driver) => Driver = (driver) => driver,
): Promise<ConformanceHarness> {
  engines += 1;
  const name = `conformance-${engines}`;
  const faults = createFaults();
  const driver = (engine?: string): Driver =>
    around(withFaults(memory(engine === undefined ? {} : { name: engine }), faults));
  const keeper = createBroker(memory({ name }), { logger: silentLogger });
  // The engine ends with its last broker: this one holds it while checks open and close theirs.
  await keeper.connect();
  const unconnected: ConformanceHarness["unconnected"] = (options) => createBroker(driver(name), options);
  return {
    name: "memory",
    capabilities: memoryCapabilities,
    receipts: { wanted: "accepted", unwanted: "unrouted" },
    faults,
    unconnected,
    isolated: (options) => createBroker(driver(), options),
    async open(options) {
      const broker = unconnected(options);
      await broker.connect();
      return broker;
    },
    async close() {
      try {
        await keeper.disconnect();
      } catch (error) {
        if (!(error instanceof BrokerError && error.code === "ERR_UNDELIVERED")) throw error;
      }
    },
  };
}
