import { BrokerError } from "../../errors.ts";
import { masked } from "../../internal/masked.ts";
import type { Parser } from "./parsers.ts";

/** Variables of the environment, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A setting: where it may come from, and what it takes. */
export interface Setting<Value> {
  /** Words with `-` between, such as `broker-address`. The flag is `--` and this name. */
  readonly name: string;
  /** The flag; `undefined` for a secret, which comes from the environment only: arguments can be read by others. */
  readonly flag: string | undefined;
  /** Tidings' variable. */
  readonly variable: string;
  /** A variable that names a file with the value, for secrets. */
  readonly fileVariable?: string;
  /** go-micro's variable, with a parser where it has another unit there. */
  readonly micro?: { readonly variable: string; readonly parser?: Parser<Value> };
  /** What help shows in place of the value. */
  readonly placeholder: string;
  /** One line. */
  readonly help: string;
  /** Whether the flag may be given several times, all of which count. Of others the last counts. */
  readonly repeatable?: boolean;
  /** `"broker"`: the command line has it too. */
  readonly of: "broker" | "service";
  readonly parser: Parser<Value>;
}

/** The variables of a setting, the strongest first. */
export function variablesOf({ variable, fileVariable, micro }: Setting<unknown>): string[] {
  return [variable, fileVariable, micro?.variable].filter((name) => name !== undefined);
}

/** The error of a value that is not allowed. It names the flag or variable, the value and what is allowed. */
export function invalidValue(source: string, allowed: string, text: string): BrokerError {
  return new BrokerError("ERR_INVALID_OPTION", `${source} takes ${allowed}, not ${JSON.stringify(masked(text))}.`);
}
