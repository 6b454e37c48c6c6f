import { BrokerError } from "../../errors.ts";
import { SETTING_KEYS, SETTINGS, type SettingKey } from "./table.ts";

/** The texts given in flags, by setting. Of a repeatable flag all of them, with commas between; of others the last. */
export type GivenFlags = { readonly [Key in SettingKey]?: string | undefined };

/** What a command line comes to. */
export interface ParsedFlags {
  readonly flags: GivenFlags;
  /** The arguments that are no flags of Tidings, in their order: the program's own. `--help` and `--` stay among them. */
  readonly rest: readonly string[];
  /** Whether `--help` is there. */
  readonly help: boolean;
}

const KEYS: ReadonlyMap<string, SettingKey> = new Map(
  SETTING_KEYS.flatMap((key) => {
    const { flag } = SETTINGS[key];
    return flag === undefined ? [] : [[flag, key] as const];
  }),
);

/**
 * Reads the flags of the table, as `--x value` or `--x=value`, with `-` or `_` between words. Other flags and positional
 * arguments are left alone, and so is everything after `--`.
 * @param argv the arguments, without node and the program
 * @throws BrokerError `ERR_INVALID_OPTION` for a flag of the table without a value
 */
export function parseFlags(argv: readonly string[]): ParsedFlags {
  const flags: Partial<Record<SettingKey, string>> = {};
  const rest: string[] = [];
  const end = argv.includes("--") ? argv.indexOf("--") : argv.length;
  for (let index = 0; index < end; index += 1) {
    const argument = argv[index] ?? "";
    const { flag, value } = splitFlag(argument);
    const key = KEYS.get(flag);
    if (key === undefined) {
      rest.push(argument);
      continue;
    }
    if (value === undefined) index += 1;
    const given = value ?? separateValue(flag, argv.slice(index, end)[0]);
    const earlier = SETTINGS[key].repeatable === true ? flags[key] : undefined;
    flags[key] = earlier === undefined ? given : `${earlier},${given}`;
  }
  return { flags, rest: [...rest, ...argv.slice(end)], help: rest.includes("--help") };
}

/** Spells the flags of the table with `-` between words, as other parsers know them. Other arguments stay as they are. */
export function withHyphens(argv: readonly string[]): string[] {
  const end = argv.includes("--") ? argv.indexOf("--") : argv.length;
  return argv.map((argument, index) => {
    const { flag } = splitFlag(argument);
    return index < end && KEYS.has(flag) ? `${flag}${argument.slice(flag.length)}` : argument;
  });
}

function splitFlag(argument: string): { readonly flag: string; readonly value: string | undefined } {
  const [, name, value] = /^--([^=]+)(?:=(.*))?$/s.exec(argument) ?? [];
  return { flag: name === undefined ? "" : `--${name.replaceAll("_", "-")}`, value };
}

/** What follows a flag. Another flag is no value: that of this one was forgotten. */
function separateValue(flag: string, next: string | undefined): string {
  if (next !== undefined && !/^-./.test(next)) return next;
  const { placeholder } = SETTINGS[KEYS.get(flag) ?? "broker"];
  throw new BrokerError("ERR_INVALID_OPTION", `${flag} lacks its value: ${flag} <${placeholder}>.`);
}
