import type { ConformanceCheck } from "./check.ts";
import { ack } from "./groups/ack.ts";
import { delivery } from "./groups/delivery.ts";
import { flow } from "./groups/flow.ts";
import { lifecycle } from "./groups/lifecycle.ts";
import { patterns } from "./groups/patterns.ts";
import { payload } from "./groups/payload.ts";
import { resilience } from "./groups/resilience.ts";
import { retry } from "./groups/retry.ts";
import { shutdown } from "./groups/shutdown.ts";
import { stress } from "./groups/stress.ts";

/** Every check of the kit, in the order of its groups. */
export function allChecks(): readonly ConformanceCheck[] {
  const stressed = [lifecycle, delivery, payload, ack, retry, flow, patterns];
  return [...stressed.flat(), ...resilience, ...shutdown, ...stress(stressed)];
}
