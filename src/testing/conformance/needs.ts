import type { Capabilities } from "../../capabilities.ts";
import type { Need } from "./check.ts";
import type { ConformanceHarness, EngineControl } from "./harness.ts";

/** The capabilities that a driver has or has not. */
export type Switch = {
  [Name in keyof Capabilities]: Capabilities[Name] extends boolean ? Name : never;
}[keyof Capabilities];

/** What a harness may have beyond opening brokers. */
export type HarnessFeature = Exclude<
  {
    [Name in keyof ConformanceHarness]: undefined extends ConformanceHarness[Name] ? Name : never;
  }[keyof ConformanceHarness],
  undefined
>;

/** Retries, dead letters and standing queues are promises of at-least-once drivers only. */
export const atLeastOnce: Need = ({ capabilities }) =>
  capabilities.guarantee === "at-least-once" ? undefined : "the driver delivers at most once";

/** What an at-most-once driver must refuse. */
export const atMostOnce: Need = ({ capabilities }) =>
  capabilities.guarantee === "at-most-once"
    ? undefined
    : "the driver delivers at least once, so there is nothing to refuse";

/** The driver declares a capability. */
export function has(name: Switch): Need {
  return ({ capabilities }) => (capabilities[name] ? undefined : `the driver does not declare ${name}`);
}

/** The driver does not declare a capability, so that asking for it must be refused. */
export function lacks(name: Switch): Need {
  return ({ capabilities }) =>
    capabilities[name] ? `the driver declares ${name}, so there is nothing to refuse` : undefined;
}

/** The harness brings a feature. */
export function brings(feature: HarnessFeature): Need {
  return ({ harness }) => (harness[feature] === undefined ? `the harness has no ${feature}` : undefined);
}

/** The harness can trouble its engine in these ways. */
export function controls(...names: readonly (keyof EngineControl)[]): Need {
  return ({ harness }) => {
    const missing = names.find((name) => harness.engine?.[name] === undefined);
    return missing === undefined ? undefined : `the harness has no engine.${missing}`;
  };
}

/** A broadcast subscriber loses nothing over a short cut. */
export const holdsBroadcast: Need = ({ harness }) =>
  harness.broadcastLoss === undefined ? undefined : `broadcast subscribers may lose messages: ${harness.broadcastLoss}`;

/** Everything is needed; the first reason is given. */
export function all(...needs: readonly Need[]): Need {
  return (target) => {
    for (const need of needs) {
      const reason = need(target);
      if (reason !== undefined) return reason;
    }
    return undefined;
  };
}

/** A separate process on the same engine. */
export const otherProcess: Need = all(has("processes"), brings("spawn"));

/** A queue that keeps its messages without a member. */
export const standingQueues: Need = all(atLeastOnce, has("standingQueues"));

/** Dead letters that are kept until they are read. */
export const deadLetters: Need = all(atLeastOnce, has("deadLetters"));
