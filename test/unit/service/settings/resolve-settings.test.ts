import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { registryByName } from "../../../../src/registries/by-name.ts";
import { resolveSettings, type Settings } from "../../../../src/service/settings/resolve-settings.ts";
import { SETTING_KEYS, SETTINGS, type SettingKey } from "../../../../src/service/settings/table.ts";

const resolve = (argv: readonly string[], env: Record<string, string> = {}): Settings =>
  resolveSettings(argv, env).settings;
const refusal = (text: string) =>
  expect.objectContaining({ code: "ERR_INVALID_OPTION", message: expect.stringContaining(text) });

/** For each setting: where it ends, and from flag, `TIDINGS_*` and `MICRO_*` a text and what becomes of it. */
const ms = (flag: number, tidings: number, micro: number) =>
  [
    [String(flag), flag],
    [String(tidings), tidings],
    [String(micro / 1_000), micro],
  ] as const;
const plain = (...texts: readonly string[]) => texts.map((text) => [text, text] as const);
/** Two files, and what is in them. */
const FILES = ["resolve-settings.test.ts", "secret.test.ts"].map((name) => {
  const path = fileURLToPath(new URL(name, import.meta.url));
  return [path, readFileSync(path, "utf8")] as const;
});
const CASES: Readonly<
  Record<SettingKey, { at: string[]; values: readonly (readonly [text: string, value: unknown])[] }>
> = {
  broker: { at: ["broker"], values: plain("nats+core", "nats://own:1", "rabbitmq") },
  brokerAddress: {
    at: ["broker"],
    values: [
      ["flag:1", "http://flag:1"],
      ["own:2", "http://own:2"],
      ["micro:3", "http://micro:3"],
    ],
  },
  registry: { at: ["brokerOptions", "registry"], values: plain("local", "etcd", "consul") },
  registryAddress: { at: ["brokerOptions", "registryAddress"], values: plain("/folder", "own:2", "micro:3") },
  wire: { at: ["brokerOptions", "wire"], values: plain("tidings", "go-micro") },
  storage: { at: ["brokerOptions", "storage"], values: plain("./a", "./b") },
  secret: { at: ["brokerOptions", "secret"], values: plain("", "word") },
  secure: {
    at: ["brokerOptions", "secure"],
    values: [
      ["true", true],
      ["false", false],
    ],
  },
  tlsCaFile: { at: ["brokerOptions", "tls", "ca"], values: FILES },
  tlsCertFile: { at: ["brokerOptions", "tls", "cert"], values: FILES },
  tlsKeyFile: { at: ["brokerOptions", "tls", "key"], values: FILES },
  serverName: { at: ["name"], values: plain("a", "b", "c") },
  serverVersion: { at: ["version"], values: plain("1", "2", "3") },
  serverId: { at: ["id"], values: plain("1", "2", "3") },
  serverMetadata: {
    at: ["metadata"],
    values: [
      ["a=1", { a: "1" }],
      ["b=2,c=3", { b: "2", c: "3" }],
      ["d=", { d: "" }],
    ],
  },
  registerTtlMs: { at: ["registerTtlMs"], values: ms(1, 2, 3_000) },
  registerIntervalMs: { at: ["registerIntervalMs"], values: ms(1, 2, 3_000) },
  drainTimeoutMs: { at: ["brokerOptions", "drainTimeoutMs"], values: ms(0, 2, 3_000).slice(0, 2) },
};

describe.each(SETTING_KEYS)("the setting %s", (key) => {
  const { flag, variable, micro } = SETTINGS[key];
  const { at, values } = CASES[key];
  const [[flagText, flagValue] = ["", ""], [text, value] = ["", ""], [microText, microValue] = ["", ""]] = values;
  const argv = flag === undefined ? [] : [flag, flagText];
  const own = { [variable]: text };
  const theirs = micro === undefined ? {} : { [micro.variable]: microText };

  test("is taken from each of its sources, the stronger winning", () => {
    if (flag !== undefined) {
      expect(resolve(argv, { ...own, ...theirs })).toHaveProperty(at, flagValue);
      expect(resolve([`${flag}=${flagText}`])).toHaveProperty(at, flagValue);
    }
    expect(resolve([], { ...own, ...theirs })).toHaveProperty(at, value);
    if (micro !== undefined) expect(resolve([], theirs)).toHaveProperty(at, microValue);
  });

  test("is absent when it is not given; an empty variable counts as not set", () => {
    expect(resolve([])).toEqual({ brokerOptions: {} });
    const empty = Object.fromEntries([variable, micro?.variable ?? variable].map((name) => [name, ""]));
    expect(resolve([], empty)).toEqual({ brokerOptions: {} });
    if (micro !== undefined) expect(resolve([], { ...theirs, [variable]: "" })).toHaveProperty(at, microValue);
  });

  test("is not read from a source that is outdone", () => {
    if (flag === undefined || micro === undefined) return;
    expect(resolve(argv, { [variable]: "\u0000", [micro.variable]: "\u0000" })).toHaveProperty(at, flagValue);
  });

  test("refuses an empty flag, and says what is allowed", () => {
    if (flag === undefined) return;
    expect(() => resolve([`${flag}=`])).toThrow(refusal(`${flag} takes ${SETTINGS[key].parser.allowed}, not "".`));
  });
});

describe("resolveSettings", () => {
  test.each([
    ["--broker", "pigeon", /^--broker takes a broker's name \(http, memory, .*\) or a URL .*, not "pigeon"\.$/],
    ["TIDINGS_BROKER", "pigeon://h", /^TIDINGS_BROKER takes .* not "pigeon:\/\/h"\.$/],
    ["MICRO_BROKER_ADDRESS", "a:1,b:2", /^MICRO_BROKER_ADDRESS takes host:port, .* not "a:1,b:2"\.$/],
    ["--registry", "pigeon", /^--registry takes local, memory or mdns, not "pigeon"\.$/],
    ["TIDINGS_WIRE", "morse", /^TIDINGS_WIRE takes tidings or go-micro, not "morse"\.$/],
    ["--server-metadata", "a=1,b", /^--server-metadata takes pairs .* not "a=1,b"\.$/],
    ["MICRO_SERVER_METADATA", "=1", /^MICRO_SERVER_METADATA takes pairs .* not "=1"\.$/],
    ["--register-ttl-ms", "0", /^--register-ttl-ms takes a whole number of milliseconds, 1 or more, not "0"\.$/],
    ["TIDINGS_REGISTER_INTERVAL_MS", "1s", /^TIDINGS_REGISTER_INTERVAL_MS takes .* milliseconds.*, not "1s"\.$/],
    ["MICRO_REGISTER_TTL", "1.5", /^MICRO_REGISTER_TTL takes a whole number of seconds, 1 or more, not "1\.5"\.$/],
    ["MICRO_REGISTER_INTERVAL", "9999999999999", /^MICRO_REGISTER_INTERVAL takes /],
    ["--drain-timeout-ms", "1e3", /^--drain-timeout-ms takes a whole number of milliseconds, 0 or more, not "1e3"\.$/],
  ])("refuses %s %s", (source, value, message) => {
    const [argv, env] = source.startsWith("--") ? [[`${source}=${value}`], {}] : [[], { [source]: value }];
    expect(() => resolve(argv, env)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_OPTION", message: expect.stringMatching(message) }),
    );
  });

  test("joins a broker and an address from different sources", () => {
    expect(resolve(["--broker", "nats"], { MICRO_BROKER_ADDRESS: "micro:1" }).broker).toBe("nats://micro:1");
    expect(resolve(["--broker_address=flag:1"], { MICRO_BROKER: "rabbitmq" }).broker).toBe("amqp://flag:1");
    expect(() => resolve([], { TIDINGS_BROKER: "nats://a:1", TIDINGS_BROKER_ADDRESS: "b:1" })).toThrow(
      refusal("TIDINGS_BROKER is a URL, which names its address: leave TIDINGS_BROKER_ADDRESS out."),
    );
  });

  test("takes an address alone for that of the broker in the code", () => {
    const address = { TIDINGS_BROKER_ADDRESS: "own:1" };
    const broker = (code: string, env: Record<string, string> = address) =>
      resolveSettings([], env, { broker: code }).settings.broker;
    expect(broker("nats")).toBe("nats://own:1");
    expect(broker("nats://me:word@code:1")).toBe("nats://me:word@own:1");
    expect(broker("nats", { ...address, MICRO_BROKER: "rabbitmq" })).toBe("amqp://own:1");
    expect(resolveSettings([], {}, { broker: "nats" }).settings).toEqual({ brokerOptions: {} });
    expect(() => broker("memory:x")).toThrow(refusal("leave TIDINGS_BROKER_ADDRESS out"));
  });

  test.each(["http", "nats", "rabbitmq", "memory"])("takes go-micro's broker %s by its name", (name) => {
    expect(resolve([], { MICRO_BROKER: name }).broker).toBe(name);
  });

  test("keeps metadata as it is written, whatever the keys", () => {
    const { metadata = {} } = resolve(["--server-metadata", "__proto__=x, a = b=c ,a=d"]);
    expect(Object.entries(metadata)).toEqual([
      ["__proto__", "x"],
      ["a", "d"],
    ]);
  });

  test("passes on what is the program's own, and reads nothing more when help is asked for", () => {
    expect(resolveSettings(["serve", "--port", "1", "--broker=memory"], {})).toEqual({
      settings: { broker: "memory", brokerOptions: {} },
      rest: ["serve", "--port", "1"],
      help: false,
    });
    expect(resolveSettings(["--help"], { TIDINGS_BROKER: "pigeon" })).toEqual({
      settings: { brokerOptions: {} },
      rest: ["--help"],
      help: true,
    });
  });

  test("knows the registries that there are", async () => {
    const message = await registryByName("pigeon").catch((error: Error) => error.message);
    const { allowed } = SETTINGS.registry.parser;
    expect(message).toContain(`Known ones: ${allowed.replace(" or ", ", ")}.`);
  });
});

describe("a password", () => {
  const urls = ["nats://me:word@host:4222", "nats://me:wo/rd@host", "pigeon://me:word@wo@host", "http://word@h:1/x"];

  test.each(urls)("is refused in a flag: %s", (url) => {
    for (const flag of ["--broker", "--broker-address", "--registry-address", "--storage"]) {
      const variable = `TIDINGS_${flag.slice(2).toUpperCase().replace("-", "_")}`;
      const message = `${flag} holds a user or password, which others can see: set ${variable} in the environment.`;
      expect(() => resolve([flag, url])).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTION", message }));
    }
  });

  test("is taken from the environment", () => {
    expect(resolve([], { TIDINGS_BROKER: urls[0] ?? "" }).broker).toBe(urls[0]);
  });

  test.each([
    ["TIDINGS_BROKER", "pigeon://me:word@wo@host"],
    ["TIDINGS_BROKER", "pigeon:me:word@host"],
    ["MICRO_BROKER", "pigeon://host?password=word"],
    ["TIDINGS_BROKER_ADDRESS", "me:word@host:1"],
    ["MICRO_BROKER_ADDRESS", "amqp://me:wo/rd@host:1"],
    ["TIDINGS_REGISTRY", "http://me:word@host"],
    ["TIDINGS_SERVER_METADATA", "http://me:word@host"],
  ])("is not shown when %s is wrong", (variable, value) => {
    expect(() => resolve([], { [variable]: value })).toThrow(
      expect.objectContaining({
        code: "ERR_INVALID_OPTION",
        message: expect.stringMatching(new RegExp(`^${variable} (?!.*(?:word|wo/rd|wo@))`)),
      }),
    );
  });
});
