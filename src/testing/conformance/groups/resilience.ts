import { type ConformanceCheck, inGroup } from "../check.ts";
import { connectionChecks } from "./resilience-connection.ts";
import { resilientDeliveryChecks } from "./resilience-delivery.ts";
import { engineChecks } from "./resilience-engine.ts";
import { faultChecks } from "./resilience-faults.ts";

/** J. Resilience: engines that go away and connections that break. */
export const resilience: readonly ConformanceCheck[] = inGroup("J", [
  ...connectionChecks,
  ...faultChecks,
  ...resilientDeliveryChecks,
  ...engineChecks,
]);
