import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { variablesOf } from "../../src/service/settings/setting.ts";
import { settingsTable } from "../../src/service/settings/settings-table.ts";
import { SETTING_KEYS, SETTINGS } from "../../src/service/settings/table.ts";
import { ROOT, textOf } from "./tree.ts";

const PAGE = "docs/configuration.md";
const MARKED = /(<!-- settings: begin -->\n).*?(\n<!-- settings: end -->)/s;

/** Variables that are no settings: where the local registry is unless it is told, and stack traces on the command line. */
const ELSEWHERE = ["TIDINGS_LOCAL_REGISTRY_FOLDER", "TIDINGS_DEBUG"];

describe(PAGE, () => {
  // With TIDINGS_UPDATE_DOCS=1 the table is written anew.
  test("has the table of settings", () => {
    const page = textOf(PAGE);
    expect(page).toMatch(MARKED);
    const current = page.replace(MARKED, (_all, begin: string, end: string) => `${begin}${settingsTable()}${end}`);
    if (process.env["TIDINGS_UPDATE_DOCS"] === "1") writeFileSync(join(ROOT, PAGE), current);
    else expect(page).toBe(current);
  });

  test.each(ELSEWHERE)("tells of %s", (variable) => {
    expect(textOf(PAGE)).toContain(variable);
  });

  test("names no variable that is not in the table", () => {
    const inTable = SETTING_KEYS.flatMap((key) => variablesOf(SETTINGS[key]));
    const known = new Set<string | undefined>([...inTable, ...ELSEWHERE]);
    const named = textOf(PAGE).match(/\b(?:TIDINGS|MICRO)_[A-Z_]*[A-Z]\b/g) ?? [];
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });
});
