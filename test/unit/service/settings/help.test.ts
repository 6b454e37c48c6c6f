import { describe, expect, test } from "vitest";
import { settingsHelp } from "../../../../src/service/settings/help.ts";
import { variablesOf } from "../../../../src/service/settings/setting.ts";
import { SETTING_KEYS, SETTINGS } from "../../../../src/service/settings/table.ts";

describe("settingsHelp", () => {
  const lines = settingsHelp().split("\n");

  test("has each flag with its variables", () => {
    for (const key of SETTING_KEYS) {
      const { flag, help } = SETTINGS[key];
      const at = lines.findIndex((line) => line.startsWith(`  ${flag ?? "secret"} `));
      expect(lines[at]).toContain(help);
      for (const variable of variablesOf(SETTINGS[key])) expect(lines[at + 1]).toContain(variable);
    }
    expect(settingsHelp()).toContain("TIDINGS_REGISTER_TTL_MS, MICRO_REGISTER_TTL (seconds)\n");
    expect(settingsHelp()).not.toContain("--secret");
  });

  test("leaves out what no broker of this version has", () => {
    expect(settingsHelp()).not.toMatch(/etcd|consul/);
  });

  test("is aligned, and fits 110 columns", () => {
    const [, ...rows] = lines.filter((line) => line !== "");
    expect(new Set(rows.map((row) => /^(?: {2}\S.*? {2,}| +)(?=\S)/.exec(row)?.[0].length)).size).toBe(1);
    expect(lines.filter((line) => line.length > 110)).toEqual([]);
  });
});
