import { afterAll, describe, test } from "vitest";
import { ACK, type Driver } from "../../src/driver.ts";
import { memoryCapabilities } from "../../src/drivers/memory/index.ts";
import { registerWithVitest, wrapDriver, wrapPublication } from "../../src/testing/index.ts";
import { onSettle } from "./broken/broken-driver.ts";
import { memoryHarness } from "./memory-harness.ts";

const capabilities = {
  ...memoryCapabilities,
  guarantee: "at-most-once",
  mandatory: false,
  standingQueues: false,
  deadLetters: false,
} as const;

/** The memory driver, promising as little as an engine that forgets what it has sent. */
function forgetful(driver: Driver): Driver {
  const once = onSettle(driver, (outcome, delivery) => delivery.settle(outcome.kind === "release" ? outcome : ACK));
  const bare = wrapDriver(once, {
    capabilities,
    publish: (publications) =>
      driver.publish(
        publications.map((publication) => wrapPublication(publication, { confirm: () => publication.confirm("sent") })),
      ),
  });
  for (const name of ["queues", "deadLetters"]) Reflect.deleteProperty(bare, name);
  return bare;
}

const { faults: _faults, ...harness } = await memoryHarness(forgetful);
registerWithVitest(
  { describe, test, afterAll },
  { ...harness, name: "at most once", capabilities, receipts: { wanted: "sent", unwanted: "sent" } },
  { only: ({ group }) => group !== "M" },
);
