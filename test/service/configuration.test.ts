import { describe, expect, test } from "vitest";
import { SETTING_KEYS, SETTINGS } from "../../src/service/settings/table.ts";
import { newPlace } from "./service-process.ts";

const HTTP = { name: "http", address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) };
const memory = (name: string) => ({ name: "memory", address: `memory:${name}` });

interface Choice {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly broker: object;
}

describe("the same program runs on the broker chosen", () => {
  test.each<[string, Choice]>([
    ["in its code", { broker: memory("code") }],
    ["by MICRO_BROKER", { env: { MICRO_BROKER: "http" }, broker: HTTP }],
    [
      "by MICRO_BROKER and its address",
      { env: { MICRO_BROKER: "http", MICRO_BROKER_ADDRESS: "127.0.0.1:0" }, broker: HTTP },
    ],
    ["by TIDINGS_BROKER", { env: { TIDINGS_BROKER: "http://127.0.0.1:0" }, broker: HTTP }],
    ["by --broker", { args: ["--broker", "http"], broker: HTTP }],
    ["by --broker_address", { args: ["--broker=http", "--broker_address=127.0.0.1:0"], broker: HTTP }],
  ])("%s", async (_how, { args, env, broker }) => {
    const program = newPlace().start("echo.mjs", args, env);
    await program.endsWith(0);
    expect(JSON.parse(program.out)).toEqual({ ...broker, payload: { id: 7 }, own: [] });
    expect(program.err).toBe("");
  });
});

describe("of several choices", () => {
  const [flag, tidings, micro] = [
    "--broker=memory:flag",
    { TIDINGS_BROKER: "memory:own" },
    { MICRO_BROKER: "memory:go" },
  ];

  test.each<[string, Choice]>([
    ["MICRO_* wins over the code", { env: micro, broker: memory("go") }],
    ["TIDINGS_* wins over MICRO_*", { env: { ...micro, ...tidings }, broker: memory("own") }],
    ["a flag wins over all", { args: [flag], env: { ...micro, ...tidings }, broker: memory("flag") }],
    ["a flag wins over MICRO_*", { args: [flag], env: micro, broker: memory("flag") }],
    ["an empty variable is none", { env: { ...micro, TIDINGS_BROKER: "" }, broker: memory("go") }],
  ])("%s", async (_rule, { args, env, broker }) => {
    const program = newPlace().start("echo.mjs", args, env);
    await program.endsWith(0);
    expect(JSON.parse(program.out)).toMatchObject(broker);
  });
});

describe("the command line of a service", () => {
  test("leaves what it does not know to the program", async () => {
    const program = newPlace().start("echo.mjs", [
      "--own",
      "--broker",
      "memory:flag",
      "file.txt",
      "--",
      "--wire",
      "morse",
    ]);
    await program.endsWith(0);
    expect(JSON.parse(program.out)).toMatchObject({ ...memory("flag"), own: ["--own"] });
  });

  test("--help prints the flags and ends well, before anything starts", async () => {
    const program = newPlace().start("echo.mjs", ["--help", "--wire", "morse"]);
    await program.endsWith(0);
    expect(program.out).toMatch(/^echo latest\n\n/);
    for (const key of SETTING_KEYS) {
      const { flag, variable } = SETTINGS[key];
      expect(program.out).toContain(variable);
      if (flag !== undefined) expect(program.out).toContain(`  ${flag} <`);
    }
    expect([program.err, program.out.includes("payload")]).toEqual(["", false]);
  });

  test.each([
    [["--wire", "morse"], {}, '--wire takes tidings or go-micro, not "morse".'],
    [["--register_ttl_ms=soon"], {}, '--register-ttl-ms takes a whole number of milliseconds, 1 or more, not "soon".'],
    [["--broker", "pigeon"], {}, "--broker takes a broker's name (http, memory, "],
    [["--broker"], {}, "--broker lacks its value: --broker <name|url>."],
    [[], { TIDINGS_REGISTRY: "pigeon" }, "TIDINGS_REGISTRY takes local, memory or mdns, "],
    [[], { MICRO_REGISTER_TTL: "1m" }, 'MICRO_REGISTER_TTL takes a whole number of seconds, 1 or more, not "1m".'],
  ])("%j with %j names what is wrong and what is allowed, and does not start", async (args, env, message) => {
    const program = newPlace().start("echo.mjs", args, env);
    await program.endsWith(1);
    expect(program.err).toContain(message);
    expect(program.err).toContain("ERR_INVALID_OPTION");
    expect(program.out).toBe("");
  });
});
