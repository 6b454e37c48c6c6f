import { type Setting, variablesOf } from "./setting.ts";
import { SETTING_KEYS, SETTINGS } from "./table.ts";

const HEAD = "Settings. Flags win over TIDINGS_* variables, and those over go-micro's MICRO_*; - or _ between words.";

/** The help that `--help` of a service prints: every flag with its variables. Ends with a line break. */
export function settingsHelp(): string {
  const rows = SETTING_KEYS.flatMap((key) => {
    const setting: Setting<unknown> = SETTINGS[key];
    const { flag, placeholder, help } = setting;
    const first = flag === undefined ? `${placeholder} (environment only)` : `${flag} <${placeholder}>`;
    return [
      [first, help],
      ["", variablesOf(setting).map(withUnit(setting)).join(", ")],
    ] as const;
  });
  const all = [...rows, ["--help", "print this help"] as const];
  const width = Math.max(...all.map(([left]) => left.length));
  return `${[HEAD, "", ...all.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)].join("\n")}\n`;
}

/** Shows a variable, with the unit that it has in go-micro where that is another than ours. */
function withUnit({ micro }: Setting<unknown>): (variable: string) => string {
  return (variable) =>
    variable === micro?.variable && micro.parser !== undefined ? `${variable} (seconds)` : variable;
}
