import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseFlags, withHyphens } from "../../../../src/service/settings/parse-flags.ts";
import { SETTING_KEYS, SETTINGS } from "../../../../src/service/settings/table.ts";

const invalid = expect.objectContaining({ code: "ERR_INVALID_OPTION" });
const known = SETTING_KEYS.map((key) => ({ key, flag: SETTINGS[key].flag ?? "" })).filter(({ flag }) => flag !== "");

describe("parseFlags", () => {
  test.each(known)("takes $flag in every spelling", ({ key, flag }) => {
    for (const spelling of [flag, `--${flag.slice(2).replaceAll("-", "_")}`]) {
      for (const argv of [[spelling, "a=b=c"], [`${spelling}=a=b=c`]]) {
        expect(parseFlags(argv)).toEqual({ flags: { [key]: "a=b=c" }, rest: [], help: false });
      }
    }
  });

  test("has no flag for a secret", () => {
    const argv = ["--secret", "word", "--secret-file=x"];
    expect(parseFlags(argv)).toEqual({ flags: {}, rest: argv, help: false });
  });

  test.each(known)("refuses $flag without a value", ({ flag }) => {
    for (const argv of [[flag], [flag, "--wire", "tidings"], [flag, "--"], [flag, "-v"]]) {
      expect(() => parseFlags(argv)).toThrow(invalid);
      expect(() => parseFlags(argv)).toThrow(`${flag} lacks its value`);
    }
  });

  test("takes a value that begins with a hyphen after =, an empty one, and - itself", () => {
    expect(parseFlags(["--storage=-x", "--broker=", "--server-name", "-"]).flags).toEqual({
      storage: "-x",
      broker: "",
      serverName: "-",
    });
  });

  test("counts the last of several, and all of a repeatable one", () => {
    const argv = ["--broker", "a", "--server-metadata=x=1", "--broker=b", "--server_metadata", "y=2"];
    expect(parseFlags(argv).flags).toEqual({ broker: "b", serverMetadata: "x=1,y=2" });
  });

  test("ends at --, and leaves what follows", () => {
    expect(parseFlags(["--broker", "a", "x", "--", "--broker", "b", "--help"])).toEqual({
      flags: { broker: "a" },
      rest: ["x", "--", "--broker", "b", "--help"],
      help: false,
    });
  });

  test("reports --help, and leaves it to the program too", () => {
    expect(parseFlags(["a", "--help"])).toEqual({ flags: {}, rest: ["a", "--help"], help: true });
    for (const argv of [["-h"], ["--help=all"], ["--help_me"], ["--wire=--help"]])
      expect(parseFlags(argv).help).toBe(false);
  });

  test("never loses nor reorders an argument of the program", () => {
    const isForeign = (text: string) =>
      text !== "--" && known.every(({ flag }) => text.replaceAll("_", "-").split("=")[0] !== flag);
    const hard = fc.constantFrom("-b", "--no-broker", "--brokers", "---broker", "--Broker", "broker", "--=", "-", "");
    const foreign = fc
      .oneof(
        fc.string(),
        fc.string().map((text) => `--${text}`),
        hard,
      )
      .filter(isForeign);
    const own = fc
      .tuple(fc.constantFrom(...known), fc.string(), fc.boolean(), fc.boolean())
      .map(([{ flag }, value, joined, underscores]) => {
        const spelt = underscores ? `--${flag.slice(2).replaceAll("-", "_")}` : flag;
        return joined || /^-./.test(value) ? [`${spelt}=${value}`] : [spelt, value];
      });
    const part = fc.oneof(
      foreign.map((argument) => ({ argv: [argument], rest: [argument] })),
      own.map((argv) => ({ argv, rest: [] })),
    );
    const after = fc.option(
      fc.array(
        fc.oneof(
          fc.string(),
          own.map((argv) => argv[0] ?? ""),
        ),
      ),
      { nil: undefined },
    );
    fc.assert(
      fc.property(fc.array(part), after, (parts, tail) => {
        const ending = tail === undefined ? [] : ["--", ...tail];
        const { rest, help } = parseFlags([...parts.flatMap(({ argv }) => argv), ...ending]);
        const expected = parts.flatMap((one) => one.rest);
        expect(rest).toEqual([...expected, ...ending]);
        expect(help).toBe(expected.includes("--help"));
      }),
    );
  });
});

describe("withHyphens", () => {
  test("spells the flags of the table, and nothing else, as other parsers know them", () => {
    expect(
      withHyphens(["--broker_address", "a_b", "--server_name=a_b", "--my_flag", "--", "--broker_address"]),
    ).toEqual(["--broker-address", "a_b", "--server-name=a_b", "--my_flag", "--", "--broker_address"]);
  });
});
