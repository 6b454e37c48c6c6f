import { type BrokerOptions, createBroker, silentLogger } from "tidings";
import { memory, memoryCapabilities } from "tidings/memory";
import { type ConformanceHarness, conformance, createFaults, withFaults } from "tidings/testing";

// #region harness
const engine = { name: "conformance" }; // stands for the address of a real one, started for this run alone
const keeper = createBroker(memory(engine), { logger: silentLogger });
await keeper.connect(); // the memory driver's engine ends with its last broker

const faults = createFaults();
const unconnected = (options?: BrokerOptions) => createBroker(withFaults(memory(engine), faults), options);

const harness: ConformanceHarness = {
  name: "memory",
  capabilities: memoryCapabilities,
  faults,
  unconnected,
  isolated: (options) => createBroker(memory(), options),
  async open(options) {
    const broker = unconnected(options);
    await broker.connect();
    return broker;
  },
  close: () => keeper.disconnect(),
};
// #endregion

// #region run
const kit = conformance(harness, { only: ({ group }) => group === "G" });
for (const check of kit.checks) {
  if (check.notRun !== undefined) console.log(`${check.name} did not run: ${check.notRun}`);
  else await check.run();
}
const { failed } = await kit.finish();
// #endregion
console.log(`${failed} failed`);
