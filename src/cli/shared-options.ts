import { type Command, Option } from "commander";
import { type Setting, variablesOf } from "../service/settings/setting.ts";
import { SETTING_KEYS, SETTINGS } from "../service/settings/table.ts";

/** Adds the options that every command takes: those of the broker. `resolveBrokerSettings` makes settings of them. */
export function addSharedOptions(command: Command): Command {
  for (const key of SETTING_KEYS) {
    const setting: Setting<unknown> = SETTINGS[key];
    const { flag, placeholder, help } = setting;
    if (flag === undefined || setting.of !== "broker") continue;
    command.addOption(new Option(`${flag} <${placeholder}>`, `${help} (env ${variablesOf(setting).join(", ")})`));
  }
  return command;
}
