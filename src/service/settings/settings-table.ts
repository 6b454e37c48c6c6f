import { type Setting, variablesOf } from "./setting.ts";
import { SETTING_KEYS, SETTINGS } from "./table.ts";

/** The table of settings in Markdown, as `docs/configuration.md` has it. */
export function settingsTable(): string {
  const rows = SETTING_KEYS.map((key) => {
    const setting: Setting<unknown> = SETTINGS[key];
    const { flag, micro, placeholder, parser, help } = setting;
    const own = variablesOf(setting).filter((variable) => variable !== micro?.variable);
    return [
      flag === undefined ? "none" : code(`${flag} <${placeholder}>`),
      own.map(code).join(", "),
      micro === undefined ? "" : code(micro.variable) + (micro.parser === undefined ? "" : ", in seconds"),
      help,
      parser.allowed,
    ];
  });
  const head = ["Flag", "Environment", "go-micro's", "What it is", "What it takes"];
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.map(cell).join(" | ")} |`).join("\n");
}

function code(text: string): string {
  return `\`${text}\``;
}

/** A bar would end the cell, in code as well. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
