import { BrokerError } from "../../errors.ts";
import { holdsCredentials } from "../../internal/masked.ts";
import { secretFrom } from "../../secret-from.ts";
import type { Ranked } from "./broker-target.ts";
import type { GivenFlags } from "./parse-flags.ts";
import { type Environment, invalidValue, type Setting } from "./setting.ts";
import { SETTINGS, type SettingKey, type SettingValues } from "./table.ts";

/** How strong a source is: the lower wins. What the code says is the weakest. */
export const RANK = { flag: 0, tidings: 1, micro: 2, code: 3 } as const;

/**
 * The value of a setting from the strongest source that has one: its flag, Tidings' variable, go-micro's. An empty variable
 * counts as not set.
 * @throws BrokerError `ERR_INVALID_OPTION` that names the source, the value (not of a secret) and what is allowed; also for a
 * flag that holds a user or password
 */
export function findValue<Key extends SettingKey>(
  key: Key,
  flags: GivenFlags,
  env: Environment,
): Ranked<SettingValues[Key]> | undefined {
  const setting: Setting<SettingValues[Key]> = SETTINGS[key];
  const { flag, variable, fileVariable, micro, parser } = setting;
  const given = flags[key];
  if (flag !== undefined && given !== undefined) {
    if (holdsCredentials(given)) {
      const why = "holds a user or password, which others can see";
      throw new BrokerError("ERR_INVALID_OPTION", `${flag} ${why}: set ${variable} in the environment.`);
    }
    return { value: readValue(flag, parser, given), rank: RANK.flag, source: flag };
  }
  const own = fileVariable === undefined ? env[variable] : secretFrom(env, variable, fileVariable);
  if (own) return { value: readValue(variable, parser, own), rank: RANK.tidings, source: variable };
  const other = micro === undefined ? undefined : env[micro.variable];
  if (micro === undefined || !other) return undefined;
  return {
    value: readValue(micro.variable, micro.parser ?? parser, other),
    rank: RANK.micro,
    source: micro.variable,
  };
}

function readValue<Value>(source: string, parser: Setting<Value>["parser"], text: string): Value {
  const value = parser.read(text);
  if (value === undefined) throw invalidValue(source, parser.allowed, text);
  return value;
}
