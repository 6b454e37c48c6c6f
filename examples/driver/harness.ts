// What the conformance kit has to know to check the driver of this folder.
import { createBroker } from "tidings";
import { type ConformanceHarness, createFaults, withFaults } from "tidings/testing";
import { PostOffice, post, postCapabilities } from "./post.ts";

// #region harness
const office = new PostOffice();
const faults = createFaults();

export const harness: ConformanceHarness = {
  name: "post",
  capabilities: postCapabilities,
  receipts: { wanted: "stored", unwanted: "unrouted" },
  faults,
  unconnected: (options) => createBroker(withFaults(post({ office }), faults), options),
  isolated: (options) => createBroker(post({ office: new PostOffice() }), options),
  async open(options) {
    const broker = harness.unconnected(options);
    await broker.connect();
    return broker;
  },
  close: async () => {},
};
// #endregion
