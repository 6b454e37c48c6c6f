import type { Capabilities } from "../../capabilities.ts";
import type { CheckContext } from "./check-context.ts";
import type { ConformanceHarness } from "./harness.ts";

/** The groups of the kit. */
export type CheckGroup = "A" | "B" | "C" | "D" | "E" | "F" | "G" | "J" | "K" | "M";

/** The promises of the delivery contract, as `docs/delivery.md` numbers them. */
export type PromiseNumber =
  | "D1"
  | "D2"
  | "D3"
  | "D4"
  | "D5"
  | "D6"
  | "D7"
  | "D8"
  | "D9"
  | "D10"
  | "D11"
  | "D12"
  | "D13"
  | "D14";

/** What decides whether a check runs. */
interface CheckTarget {
  readonly capabilities: Capabilities;
  readonly harness: ConformanceHarness;
}

/** Says why a check does not run, or `undefined`: it runs. */
export type Need = (target: CheckTarget) => string | undefined;

/** One thing that a driver must do. */
export interface ConformanceCheck {
  readonly group: CheckGroup;
  /** Unique within the kit, and stable: the group's letter and a sentence. */
  readonly name: string;
  /** The promises that it proves. */
  readonly promises: readonly PromiseNumber[];
  readonly needs?: Need;
  /** It measures time or memory, so that the stress group leaves it out. */
  readonly measures?: true;
  /** It troubles the engine itself, and with it every other check: it runs when no other does. */
  readonly alone?: true;
  /** @throws whatever says that the promise is not kept. */
  run(context: CheckContext): Promise<void>;
}

/** Checks as a group's file lists them: without the group's letter. */
export type CheckDefinition = Omit<ConformanceCheck, "group">;

/** Gives checks their group's letter. */
export function inGroup(group: CheckGroup, checks: readonly CheckDefinition[]): readonly ConformanceCheck[] {
  return checks.map((check) => ({ ...check, group, name: `${group} ${check.name}` }));
}
